import VL2Base

/// How much memory a model may take.
public enum MemoryChoice: Sendable, Equatable {
  /// What the machine has free: a model that fits is mapped, one that does not gets a budget.
  case automatic
  /// At most so many bytes for all that the runtime holds. A model that fits in them is mapped.
  case bytes(Int)
  /// The file is mapped and the system decides what stays in memory.
  case mapped

  /// Reads "auto", "mapped" or a size: a whole number with K, M or G behind it, powers of 1024, or without.
  public init?(_ text: String) {
    if text == "auto" {
      self = .automatic
    } else if text == "mapped" {
      self = .mapped
    } else if let bytes = ByteSize(text), bytes.bytes > 0 {
      self = .bytes(bytes.bytes)
    } else {
      return nil
    }
  }
}

/// A model that cannot run in the memory that it may take.
public enum MemoryBudgetError: ReportableError, Equatable {
  /// The budget is too small to open the model.
  case tooSmall(path: String, bytes: Int, smallest: Int)
  /// A question needs more memory than the budget.
  case request(bytes: Int, needed: Int)

  public var kind: ErrorKind { .tooLittleMemory }

  public var problem: String {
    switch self {
    case .tooSmall(let path, let bytes, let smallest):
      "\(path): \(bytes >> 20)M of memory are too few for this model"
        + (Self.addresses(below: smallest).map { ": \($0.problem)" } ?? "")
    case .request(let bytes, let needed):
      "this question needs \(Self.mebibytes(needed)) of memory, more than the \(bytes >> 20)M that there are"
    }
  }

  public var hint: Hint {
    switch self {
    case .tooSmall(_, _, let smallest) where Self.addresses(below: smallest) != nil: AddressSpaceLimit.hint
    case .tooSmall(_, _, let smallest): "the smallest that works is \(.memory, Self.mebibytes(smallest))"
    case .request(_, let needed):
      "give \(.memory, Self.mebibytes(needed)), or ask with fewer or smaller pictures"
    }
  }

  /// The limit of this process where it leaves less than so many bytes.
  private static func addresses(below bytes: Int) -> AddressSpaceLimit? {
    AddressSpaceLimit.read().flatMap { $0.left < bytes ? $0 : nil }
  }

  private static func mebibytes(_ bytes: Int) -> String { "\((bytes + (1 << 20) - 1) >> 20)M" }
}
