/// A value that several threads share: one at a time uses it, and a thread can wait until it changes.
package final class Monitor<Value>: @unchecked Sendable {
  private let condition = Condition()
  private var value: Value

  package init(_ value: Value) { self.value = value }

  /// Calls `body` while no other thread uses the value. `body` must not use the same monitor again.
  package func withLock<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    condition.lock()
    defer { condition.unlock() }
    return try body(&value)
  }

  /// The same, and wakes the threads that wait.
  package func change<Result>(_ body: (inout Value) throws -> Result) rethrows -> Result {
    condition.lock()
    defer {
      condition.broadcast()
      condition.unlock()
    }
    return try body(&value)
  }

  /// Calls `body` now and after every `change` until it returns a result.
  package func wait<Result>(for body: (inout Value) -> Result?) -> Result {
    condition.lock()
    defer { condition.unlock() }
    while true {
      if let result = body(&value) { return result }
      condition.wait()
    }
  }
}
