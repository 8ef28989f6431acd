import Foundation

/// Waiting for what another thread or process does.
public enum TestPatience {
  /// So long that only what never comes fails: other suites, builds and an emulator keep a machine busy for minutes.
  public static let limit = Duration.seconds(1200)

  /// Waits until a condition holds, or until waiting has no use any more.
  ///
  /// - Returns: whether it holds.
  @discardableResult public static func wait(
    while isWorthIt: @autoclosure () -> Bool = true, until holds: () throws -> Bool
  ) rethrows -> Bool {
    let end = ContinuousClock.now + limit
    while try !holds() {
      guard isWorthIt(), ContinuousClock.now < end else { return try holds() }
      Thread.sleep(forTimeInterval: 0.005)
    }
    return true
  }

  /// Waits until a condition holds, and leaves the thread to other tasks meanwhile.
  ///
  /// - Returns: whether it holds.
  @discardableResult public static func sleep(
    isolation: isolated (any Actor)? = #isolation, until holds: () async throws -> Bool
  ) async throws -> Bool {
    let end = ContinuousClock.now + limit
    while try await !holds() {
      guard ContinuousClock.now < end else { return false }
      try await Task.sleep(for: .milliseconds(10))
    }
    return true
  }
}
