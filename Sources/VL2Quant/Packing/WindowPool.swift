import VL2Base

/// Windows that threads use in turn, so that their memory is reserved only once.
final class WindowPool: Sendable {
  private let idle = Monitor<[WeightWindow]>([])

  /// Calls `body` with a window that nobody else uses in the meantime.
  func withWindow<T>(_ body: (WeightWindow) throws -> T) rethrows -> T {
    let window = idle.withLock { $0.popLast() } ?? WeightWindow()
    defer { idle.withLock { $0.append(window) } }
    return try body(window)
  }
}
