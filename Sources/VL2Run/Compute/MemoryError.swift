import VL2Base

/// The system refused memory.
public struct MemoryError: ReportableError {
  public let bytes: Int
  public var kind: ErrorKind { .unavailable }
  public var description: String {
    "\(bytes >> 20) MiB of memory were refused by the system: close other programs, give a smaller --memory, or ask with fewer pictures"
  }
}
