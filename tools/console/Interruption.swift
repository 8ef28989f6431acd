import Glibc
import Synchronization
import VL2Base

/// The user or the system asked to stop the work.
package struct Interruption: Error {
  package var signal: Int32

  private static let received = Atomic<Int32>(0)

  /// For a whole program: from now on SIGINT, SIGTERM and SIGHUP make `check` throw instead of ending the
  /// process at once, so that work stops at the next step and removes what it had begun to write. A second
  /// signal ends the process, and what it started.
  package static func watch() {
    let signals = [SIGINT, SIGTERM, SIGHUP]
    // The program that started this one may have blocked the signals on the thread that started it.
    var set = sigset_t()
    sigemptyset(&set)
    for number in signals { sigaddset(&set, number) }
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    received.store(0, ordering: .relaxed)
    for number in signals {
      _ = handle(number) { number in
        guard Interruption.received.exchange(number, ordering: .relaxed) != 0 else { return }
        Child.killAll()
        _exit(128 + number)
      }
    }
  }

  /// For one piece of work among others: Ctrl-C is noted while `body` runs. Afterwards it does what it did
  /// before.
  package static func noted<Result>(during body: () async throws -> Result) async rethrows -> Result {
    received.store(0, ordering: .relaxed)
    let previous = handle(SIGINT) { Interruption.received.store($0, ordering: .relaxed) }
    defer { Glibc.signal(SIGINT, previous) }
    return try await body()
  }

  /// Whether a signal has come.
  package static var isRequested: Bool { received.load(ordering: .relaxed) != 0 }

  /// Throws once a signal has come.
  package static func check() throws {
    let number = received.load(ordering: .relaxed)
    if number != 0 { throw Interruption(signal: number) }
  }

  /// Ends the process by the signal that it received, so that a shell sees what happened.
  package func endProcess() -> Never {
    Glibc.signal(signal, SIG_DFL)
    // Threads on which Swift's tasks run have signals blocked.
    var set = sigset_t()
    sigemptyset(&set)
    sigaddset(&set, signal)
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    raise(signal)
    exit(128 + signal)
  }

  /// Sets a signal's handler and returns the one before. What nohup ignores stays ignored.
  static func handle(
    _ number: Int32, _ handler: @escaping @convention(c) (Int32) -> Void
  ) -> __sighandler_t? {
    let previous = Glibc.signal(number, handler)
    if unsafeBitCast(previous, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
      Glibc.signal(number, SIG_IGN)
    }
    return previous
  }
}
