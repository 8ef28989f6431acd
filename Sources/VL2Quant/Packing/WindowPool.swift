import Foundation

/// Windows that threads take turns with, so that their memory is reserved once.
final class WindowPool: @unchecked Sendable {
  // A lock that ThreadSanitizer sees; it does not know that of the Synchronization module.
  private let lock = NSLock()
  private var idle: [WeightWindow] = []

  /// Calls `body` with a window that nobody else uses meanwhile.
  func withWindow<T>(_ body: (WeightWindow) throws -> T) rethrows -> T {
    let window = lock.withLock { idle.popLast() } ?? WeightWindow()
    defer { lock.withLock { idle.append(window) } }
    return try body(window)
  }
}
