import Glibc
import Synchronization

/// The terminal while a program takes each key as it is typed. However the program ends meanwhile, the terminal is as it
/// was: also by a signal, and where nothing can be written any more.
package enum RawTerminal {
  /// The settings from before. It is made once and never freed, because a signal may come at any time.
  private nonisolated(unsafe) static let saved = UnsafeMutablePointer<termios>.allocate(capacity: 1)
  private static let isRaw = Atomic(false)
  /// Signals that end a program and can be handled.
  private static let signals = [SIGTERM, SIGHUP, SIGINT, SIGQUIT]
  private static let atExit: Void = { atexit { RawTerminal.restore() } }()

  /// Runs `body` with keys as they are typed, Ctrl-C among them.
  ///
  /// - Returns: nil where standard input is no terminal.
  package static func during<Result>(_ body: () -> Result) -> Result? {
    guard tcgetattr(STDIN_FILENO, saved) == 0 else { return nil }
    _ = atExit
    var raw = saved.pointee
    raw.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
    raw.c_iflag &= ~tcflag_t(IXON | ICRNL)
    isRaw.store(true, ordering: .releasing)
    let earlier = signals.map { number in
      (
        number,
        Interruption.handle(number) { number in
          RawTerminal.restore()
          Glibc.signal(number, SIG_DFL)
          raise(number)
        }
      )
    }
    tcsetattr(STDIN_FILENO, TCSADRAIN, &raw)
    defer {
      restore()
      for (number, handler) in earlier { Glibc.signal(number, handler) }
    }
    return body()
  }

  private static func restore() {
    guard isRaw.exchange(false, ordering: .acquiringAndReleasing) else { return }
    // A program in the background would be stopped for changing its terminal.
    let earlier = Glibc.signal(SIGTTOU, SIG_IGN)
    tcsetattr(STDIN_FILENO, TCSANOW, saved)
    Glibc.signal(SIGTTOU, earlier)
  }
}
