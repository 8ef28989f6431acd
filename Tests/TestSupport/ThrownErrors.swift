import VL2Base

/// What `body` throws, nil if it throws nothing.
public func thrown(_ body: () throws -> Void) -> (any Error)? {
  do {
    try body()
    return nil
  } catch {
    return error
  }
}

/// The error that `body` throws, nil if it throws nothing. An error that programs do not report is returned
/// as `Unreported`, so that it counts neither as no error nor as an expected one.
public func reported(_ body: () throws -> Void) -> (any ReportableError)? {
  thrown(body).map { $0 as? any ReportableError ?? Unreported(error: $0) }
}

/// An error that no program has a line for.
public struct Unreported: ReportableError {
  public var error: any Error
  public var kind: ErrorKind { .cancelled }
  public var problem: String { "an error that is not reported:\n\(error)" }
  public var hint: Hint { .none }
}
