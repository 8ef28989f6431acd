import Glibc
import VL2Base
import VL2Console

/// Speaks texts one after the other, on a thread of its own: through speech-dispatcher, which knows the voice that its user
/// has chosen and waits for other programs to finish, or through espeak-ng where that is missing or does not run.
final class Speaker: Sendable {
  private struct State {
    var waiting: [String] = []
    /// No more texts come.
    var isClosed = false
    /// The thread has ended.
    var isOver = false
    var failure: ChildError?
  }

  private enum Program: Sendable {
    case dispatcher, espeak

    var name: String { self == .dispatcher ? "spd-say" : "espeak-ng" }
  }

  private let state = Monitor(State())

  /// Nothing that is spoken takes as much memory or writes as much.
  private static let memoryBytes = 4 << 30
  private static let outputBytes = 1 << 20

  /// - Parameter language: a code of ISO 639-1; nil for the voice that the machine is set to.
  /// - Throws: `Failure` where neither program is installed, `ThreadError`.
  init(language: String?) throws {
    let programs = [Program.dispatcher, .espeak].filter { ChildCommand([$0.name]).isInstalled }
    if programs.isEmpty {
      throw Failure(
        .unavailable, "--say: neither spd-say nor espeak-ng is installed",
        "install the Debian package speech-dispatcher or espeak-ng")
    }
    let state = state
    try SystemThread.start("vl2-speech") { Self.work(state, programs, language) }
  }

  /// Speaks a text after those before.
  func speak(_ text: String) { state.change { $0.waiting.append(text) } }

  /// Waits until everything is spoken, or a signal has come.
  ///
  /// - Throws: what went wrong, `ThreadError`.
  func finish() async throws {
    state.change { $0.isClosed = true }
    let state = state
    let failure = try await SystemThread.run("vl2-wait") {
      state.wait { $0.isOver ? .some($0.failure) : nil }
    }
    if let failure { throw failure }
  }

  private static func work(_ state: Monitor<State>, _ programs: [Program], _ language: String?) {
    var programs = programs[...]
    func next() -> String? {
      state.wait { state -> String?? in
        if !state.waiting.isEmpty { return .some(state.waiting.removeFirst()) }
        return state.isClosed ? .some(nil) : nil
      }
    }
    var failure: ChildError?
    while failure == nil, !Interruption.isRequested, let text = next() {
      repeat {
        failure = programs.first.flatMap { say(text, $0, language) }
        if failure != nil { programs = programs.dropFirst() }
      } while failure != nil && !programs.isEmpty
    }
    state.change {
      $0.failure = failure
      $0.isOver = true
    }
  }

  /// Speaks one text to its end. A signal ends it.
  private static func say(_ text: String, _ program: Program, _ language: String?) -> ChildError? {
    // Nobody speaks more slowly than two characters a second.
    let seconds = 30 + Double(text.count) / 2
    do throws(ChildError) {
      var work: ChildWork
      switch program {
      case .dispatcher:
        // What a model writes is a word behind --, not a line of standard input, where it could be a command.
        let words = ["spd-say", "--wait"] + (language.map { ["--language", $0] } ?? []) + ["--", text]
        work = try ChildWork(
          ChildCommand(words, memoryBytes: memoryBytes), seconds: seconds, outputBytes: outputBytes)
      case .espeak:
        // It knows Mandarin by a code of its own.
        let voice = language == "zh" ? "cmn" : language
        let words = ["espeak-ng", "--stdin"] + (voice.map { ["-v", $0] } ?? [])
        work = try ChildWork(
          ChildCommand(words, memoryBytes: memoryBytes), input: Array((text + "\n").utf8), seconds: seconds,
          outputBytes: outputBytes)
      }
      while try work.step(within: 0.1) == nil {
        if Interruption.isRequested {
          work.stop()
          return nil
        }
      }
      return nil
    } catch {
      return error
    }
  }
}
