import VL2Base

/// The system refused memory.
public struct MemoryError: ReportableError {
  public let bytes: Int

  public var kind: ErrorKind { .tooLittleMemory }
  public var problem: String { "\(bytes >> 20) MiB of memory were refused by the system" }
  public var hint: Hint { "close other programs, set \(.memory) lower, or ask with fewer pictures" }
}
