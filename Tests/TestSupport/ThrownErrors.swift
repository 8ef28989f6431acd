import VL2Base

/// What `body` throws, nil where it throws nothing.
public func thrown(_ body: () throws -> Void) -> (any Error)? {
  do {
    try body()
    return nil
  } catch {
    return error
  }
}

/// The error that `body` throws, nil where it throws nothing. One that programs do not report comes as `Unreported`, so
/// that it passes neither for none nor for one that was expected.
public func reported(_ body: () throws -> Void) -> (any ReportableError)? {
  thrown(body).map { $0 as? any ReportableError ?? Unreported(error: $0) }
}

/// An error that no program would have a line for.
public struct Unreported: ReportableError {
  public var error: any Error
  public var kind: ErrorKind { .cancelled }
  public var problem: String { "an error that is not reported:\n\(error)" }
  public var hint: Hint { .none }
}
