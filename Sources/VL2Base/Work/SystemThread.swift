import Glibc
import SystemSupport

/// The system makes no more threads for this process.
public struct ThreadError: ReportableError, Equatable {
  public var kind: ErrorKind { .unavailable }
  /// What the system said.
  public var reason: String

  public var problem: String {
    "this system makes no more threads for this program: \(reason)"
      + (addresses.map { ": \($0.problem)" } ?? "")
  }

  public var hint: Hint {
    addresses == nil
      ? "allow it more tasks (systemd: TasksMax; a container: its limit of processes; a shell: ulimit -u)"
      : AddressSpaceLimit.hint
  }

  /// The limit of this process where it leaves no room for the stacks of a few threads.
  private var addresses: AddressSpaceLimit? {
    AddressSpaceLimit.read().flatMap { $0.left < 64 << 20 ? $0 : nil }
  }
}

/// Threads of the system that do one thing each and then end.
package enum SystemThread {
  /// What a thread is to do, on its way to it.
  private final class Start {
    let name: String
    let body: @Sendable () -> Void

    init(_ name: String, _ body: @escaping @Sendable () -> Void) {
      self.name = name
      self.body = body
    }
  }

  /// Starts a thread.
  ///
  /// - Parameters:
  ///   - name: what top and debuggers call it; the system keeps 15 bytes.
  ///   - stackBytes: the size of its stack; nil for the system's own.
  /// - Throws: `ThreadError`.
  package static func start(
    _ name: String, stackBytes: Int? = nil, _ body: @escaping @Sendable () -> Void
  ) throws(ThreadError) {
    pthread_detach(try make(name, stackBytes: stackBytes, body))
  }

  /// Calls `body` on a thread of its own, so that no task of Swift's is blocked.
  ///
  /// - Throws: `ThreadError`, and what `body` throws.
  package static func run<Result: Sendable>(
    _ name: String, stackBytes: Int? = nil, _ body: @escaping @Sendable () throws -> Result
  ) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
      do {
        try start(name, stackBytes: stackBytes) { continuation.resume(with: Swift.Result { try body() }) }
      } catch {
        continuation.resume(throwing: error)
      }
    }
  }

  /// Waits on a thread of its own; in place of `Task.sleep` for programs that have to go on without descriptors (see
  /// `SerialThread`).
  ///
  /// - Parameters:
  ///   - seconds: between two questions whether it is over.
  ///   - isOver: called on that thread.
  /// - Throws: `ThreadError`.
  package static func wait(every seconds: Double, until isOver: @escaping @Sendable () -> Bool) async throws {
    try await run("vl2-wait") { while !isOver() { sleep(seconds) } }
  }

  /// Blocks this thread. Signals do not shorten it.
  package static func sleep(_ seconds: Double) {
    var time = timespec(tv_sec: Int(seconds), tv_nsec: Int((seconds - seconds.rounded(.down)) * 1e9))
    var left = timespec()
    while nanosleep(&time, &left) != 0, errno == EINTR { time = left }
  }

  /// Finds out whether the system lets this process have so many more threads at once, by starting and ending them. A
  /// library that is refused a thread later waits for ever.
  ///
  /// - Throws: `ThreadError`.
  package static func checkRoom(for count: Int, stackBytes: Int? = nil) throws(ThreadError) {
    let isOver = Monitor(false)
    var threads: [pthread_t] = []
    defer {
      isOver.change { $0 = true }
      for thread in threads { pthread_join(thread, nil) }
    }
    for _ in 0..<count {
      threads.append(try make("vl2-room", stackBytes: stackBytes) { isOver.wait { $0 ? () : nil } })
    }
  }

  private static func make(
    _ name: String, stackBytes: Int?, _ body: @escaping @Sendable () -> Void
  ) throws(ThreadError) -> pthread_t {
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    if let stackBytes { pthread_attr_setstacksize(&attributes, stackBytes) }
    let start = Unmanaged.passRetained(Start(name, body))
    var thread = pthread_t()
    let status = pthread_create(
      &thread, &attributes,
      { start in
        guard let start else { return nil }
        let taken = Unmanaged<Start>.fromOpaque(start).takeRetainedValue()
        vl2_name_thread(taken.name)
        taken.body()
        return nil
      }, start.toOpaque())
    if status != 0 {
      start.release()
      throw ThreadError(reason: String(cString: strerror(status)))
    }
    return thread
  }
}
