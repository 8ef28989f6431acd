import Dispatch
import Glibc
import Synchronization

/// The user or the system asked to end: work stops at the next step and removes what it had begun to write.
struct Interruption: Error {
  var signal: Int32

  private static let received = Atomic<Int32>(0)

  /// From now on SIGINT, SIGTERM and SIGHUP make `check` throw instead of ending the process at once. A second
  /// signal ends it.
  static func watch() {
    let signals = [SIGINT, SIGTERM, SIGHUP]
    // A program that started this one may have blocked them on the thread that did.
    var set = sigset_t()
    sigemptyset(&set)
    for number in signals { sigaddset(&set, number) }
    pthread_sigmask(SIG_UNBLOCK, &set, nil)
    for number in signals {
      let previous = Glibc.signal(number) { number in
        if Interruption.received.exchange(number, ordering: .relaxed) != 0 { _exit(128 + number) }
      }
      // What nohup ignores stays ignored.
      if unsafeBitCast(previous, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self) {
        Glibc.signal(number, SIG_IGN)
      }
    }
  }

  /// Throws once a signal has come.
  static func check() throws {
    let number = received.load(ordering: .relaxed)
    if number != 0 { throw Interruption(signal: number) }
  }

  /// Ends the process by the signal that it was sent, so that a shell sees what happened.
  func endProcess() -> Never {
    Glibc.signal(signal, SIG_DFL)
    raise(signal)
    exit(128 + signal)
  }
}
