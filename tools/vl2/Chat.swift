import ArgumentParser
import Glibc
import VL2Base
import VL2Console

struct Chat: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Talks about pictures, question by question.",
    usage: "vl2 chat [--model FILE] [PICTURE...]",
    discussion: """
      Type a question and press Enter. Ctrl-C stops an answer, Ctrl-D ends the conversation. The arrow keys bring back \
      what was typed before, also in earlier conversations: $XDG_STATE_HOME/vl2/history (else \
      ~/.local/state/vl2/history) keeps the last lines, not the answers.

      \(Command.list)

        vl2 chat --model tiny.vl2q photo.jpg
      """)

  @Flag(
    name: .customLong("no-history"),
    help: "Do not recall what was typed in earlier conversations, and keep nothing of this one for later.")
  var noHistory = false

  @Flag(
    help: ArgumentHelp(
      "A question has <image> where each of its pictures stands. Without this, pictures stand before their question and <image> is text like any other."
    ))
  var placed = false

  @OptionGroup(title: "How answers are written") var answering: AnswerOptions
  @OptionGroup(title: "How pictures are looked at") var looking: TileOptions
  @OptionGroup(title: "Model and machine") var options: ModelOptions

  @Argument(
    help: ArgumentHelp(
      "Pictures that the first question is about. Behind -- nothing is an option, whatever it begins with.",
      valueName: "picture"),
    completion: .file())
  var pictures: [String] = []

  /// What can be typed instead of a question.
  private enum Command: String, CaseIterable {
    case image = "/image"
    case ground = "/ground"
    case draw = "/draw"
    case retry = "/retry"
    case undo = "/undo"
    case reset = "/reset"
    case stats = "/stats"
    case save = "/save"
    case help = "/help"
    case quit = "/quit"

    static var list: String {
      var table = TextTable(alignment: "ll")
      for command in allCases { table.append([command.usage, command.purpose]) }
      return table.lines.map { "  " + $0 }.joined(separator: "\n")
    }

    private var usage: String {
      switch self {
      case .image, .draw, .save: rawValue + " FILE"
      case .ground: rawValue + " DESCRIPTION"
      case .retry, .undo, .reset, .stats, .help, .quit: rawValue
      }
    }

    private var purpose: String {
      switch self {
      case .image: "the next question is about this picture too"
      case .ground: "ask where something is in the last picture"
      case .draw: "save the last picture with the last answer's boxes drawn on it, as PNG"
      case .retry: "ask the last question again, for another answer"
      case .undo: "take back the last question and its answer"
      case .reset: "forget the conversation"
      case .stats: "seconds, speeds and memory of the last answer"
      case .save: "write the conversation to a text file"
      case .help: "these lines"
      case .quit: "leave"
      }
    }
  }

  func run() async throws {
    let engine = try await options.engine(keeping: nil)
    if let notice = engine.demonstrationNotice { Console.tell(notice) }
    let inputs = [engine.path, "/dev/stdin"]
    var talk = Talk(engine, answering, looking, exact: options.exact, placed: placed, reading: inputs)
    for path in pictures { try talk.addPicture(path) }
    var file = noHistory ? nil : UserFolder.state.map { $0 + "/history" }
    if let path = file, FileIdentity.match(of: path, among: inputs + pictures) != nil { file = nil }
    var editor = LineEditor(history: LineHistory(path: Terminal.isInteractive ? file : nil))
    while true {
      switch editor.read(prompt: "> ") {
      case .end: return
      case .interrupted: Console.write(Terminal.styled("Ctrl-D or /quit leaves.", .faint) + "\n")
      case .line(let line):
        let text = line.trimmed()
        if text.isEmpty { continue }
        do {
          if text.hasPrefix("/") {
            if try await !obey(text, &talk) { return }
          } else {
            try await talk.ask(text)
          }
        } catch let error as any ReportableError {
          // The conversation goes on.
          Console.tell(error)
        }
      }
    }
  }

  /// Returns whether the conversation goes on.
  private func obey(_ text: String, _ talk: inout Talk) async throws -> Bool {
    let word = text.prefix { !$0.isWhitespace }
    let rest = text.dropFirst(word.count).trimmed()
    switch Command(rawValue: String(word)) {
    case .image: try talk.addPicture(Self.path(rest))
    case .ground: try await talk.find(rest)
    case .draw: try talk.draw(to: Self.path(rest))
    case .retry: try await talk.retry()
    case .undo: try talk.undo()
    case .reset: talk.reset()
    case .stats: Console.write(talk.stats ?? "no answer yet\n")
    case .save: try talk.save(to: Self.path(rest))
    case .help: Console.write(Command.list + "\n")
    case .quit: return false
    case nil: Console.tell("\(word) is no command; /help lists them")
    }
    return true
  }

  /// A path as typed or dragged into a terminal: in quotes, with escaped blanks, or beginning with ~.
  private static func path(_ text: String) -> String {
    var path = text
    if path.count >= 2, let first = path.first, first == "'" || first == "\"", path.last == first {
      path = String(path.dropFirst().dropLast())
    } else {
      path = text.reduce(into: "") { path, next in
        if next == " ", path.last == "\\" { path.removeLast() }
        path.append(next)
      }
    }
    return PathText.expandingHome(path)
  }
}
