import Glibc

/// What the system says about an error number, and what a user can do about it: the end of an error line.
package enum SystemReason {
  /// Why a file cannot be read.
  package static func reading(_ number: Int32) -> String {
    switch number {
    case ENOENT, ENOTDIR: "no such file; check the path"
    case EACCES, EPERM: "\(text(number)); let this user read it"
    case ENOMEM: "\(text(number)); close other programs"
    default: "\(text(number)); check the storage, or copy the file again"
    }
  }

  /// Why a file cannot be written.
  package static func writing(_ number: Int32) -> String {
    switch number {
    case ENOENT, ENOTDIR: "no such folder; give a path in one that exists"
    case EISDIR: "it is a folder; give the path of a file"
    case EACCES, EPERM, EROFS: "\(text(number)); give a path where you may write"
    case ENOSPC, EDQUOT, EFBIG: "\(text(number)); make room, or give a path where there is some"
    default: "\(text(number)); give another path"
    }
  }

  /// The system's words, as they stand inside a line.
  private static func text(_ number: Int32) -> String {
    let text = String(cString: strerror(number))
    return text.prefix(1).lowercased() + text.dropFirst()
  }
}
