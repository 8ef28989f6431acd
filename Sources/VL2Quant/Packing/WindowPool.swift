import Foundation

/// Windows that threads use in turn, so that their memory is reserved only once.
final class WindowPool: @unchecked Sendable {
  // ThreadSanitizer sees this lock; it does not know the one of the Synchronization module.
  private let lock = NSLock()
  private var idle: [WeightWindow] = []

  /// Calls `body` with a window that nobody else uses in the meantime.
  func withWindow<T>(_ body: (WeightWindow) throws -> T) rethrows -> T {
    let window = lock.withLock { idle.popLast() } ?? WeightWindow()
    defer { lock.withLock { idle.append(window) } }
    return try body(window)
  }
}
