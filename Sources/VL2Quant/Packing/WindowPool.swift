import Synchronization

/// Windows that threads take turns with, so that their memory is reserved once.
final class WindowPool: Sendable {
  private struct Idle: @unchecked Sendable {
    // A window is used by one thread at a time: whoever took it out.
    var windows: [WeightWindow] = []
  }

  private let idle = Mutex(Idle())

  /// Calls `body` with a window that nobody else uses meanwhile.
  func withWindow<T>(_ body: (WeightWindow) throws -> T) rethrows -> T {
    let taken = idle.withLock { $0.windows.popLast() }
    let window = taken ?? WeightWindow()
    defer { idle.withLock { $0.windows.append(window) } }
    return try body(window)
  }
}
