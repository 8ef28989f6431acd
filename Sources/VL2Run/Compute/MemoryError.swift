import VL2Base

/// The system refused memory.
public struct MemoryError: ReportableError {
  public let bytes: Int

  public var kind: ErrorKind { .tooLittleMemory }
  public var problem: String {
    "\(bytes >> 20) MiB of memory were refused by the system" + (limit.map { ": \($0.problem)" } ?? "")
  }
  public var hint: Hint {
    limit == nil
      ? "close other programs, set \(.memory) lower, or ask with fewer pictures" : AddressSpaceLimit.hint
  }

  private let limit: AddressSpaceLimit?

  init(bytes: Int) {
    self.bytes = bytes
    limit = AddressSpaceLimit.read()
  }
}
