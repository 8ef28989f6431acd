import Glibc

/// Why the system refused an operation on a file, and what a user can do about it: the end of an error line.
public struct SystemReason: Sendable, Equatable {
  /// The kind of error that follows from it.
  public var kind: ErrorKind
  public var problem: String
  public var hint: Hint

  package init(_ problem: String, _ hint: Hint, kind: ErrorKind = .inputOutput) {
    self.kind = kind
    self.problem = problem
    self.hint = hint
  }

  /// Why a file cannot be read.
  package static func reading(_ number: Int32) -> SystemReason {
    switch number {
    case ENOENT, ENOTDIR: SystemReason("no such file", "check the path", kind: .noInput)
    case EACCES, EPERM: SystemReason(text(number), "let this user read it", kind: .noInput)
    case ENOMEM: memory(AddressSpaceLimit.read())
    case EMFILE: SystemReason(text(number), DescriptorLimit.hint)
    case ENFILE: SystemReason(text(number), "close other programs")
    default: SystemReason(text(number), "check the storage, or copy the file again")
    }
  }

  /// Why a file cannot be written.
  package static func writing(_ number: Int32) -> SystemReason {
    switch number {
    case ENOENT, ENOTDIR: SystemReason("no such folder", "give a path in one that exists")
    case EISDIR: SystemReason("it is a folder", "give the path of a file")
    case EACCES, EPERM, EROFS: SystemReason(text(number), "give a path where you may write")
    case ENOSPC, EDQUOT, EFBIG: SystemReason(text(number), "make room, or give a path where there is some")
    case EMFILE: SystemReason(text(number), DescriptorLimit.hint)
    case ENFILE: SystemReason(text(number), "close other programs")
    default: SystemReason(text(number), "give another path")
    }
  }

  /// Why memory is refused.
  private static func memory(_ limit: AddressSpaceLimit?) -> SystemReason {
    guard let limit else {
      return SystemReason(text(ENOMEM), "close other programs", kind: .tooLittleMemory)
    }
    return SystemReason(
      "\(text(ENOMEM)): \(limit.problem)", AddressSpaceLimit.hint, kind: .tooLittleMemory)
  }

  /// The system's message, in a form that fits inside a line.
  private static func text(_ number: Int32) -> String {
    let text = String(cString: strerror(number))
    return text.prefix(1).lowercased() + text.dropFirst()
  }
}
