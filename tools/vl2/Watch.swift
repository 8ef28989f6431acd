import ArgumentParser
import Glibc
import VL2Base
import VL2Console
import VL2Frames
import VL2Run
import VL2Watch

struct Watch: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Looks through a camera, and answers when something has changed.",
    usage: """
      vl2 watch [--model FILE] CAMERA QUESTION
      vl2 watch [--model FILE] CONFIG.yaml
      vl2 watch --list
      """,
    discussion: """
      CAMERA is /dev/video0 or another camera of this computer, - for MJPEG on standard input, a folder that pictures appear in, command:LINE for a program that writes MJPEG, \
      an rtsp:// stream (by ffmpeg), or the http:// address of a still (by curl). Answers and events are lines of JSON on \
      standard output (docs/WATCHING.md).

        vl2 watch --model tiny.vl2q /dev/video0 "Who is there?"
        vl2 watch --model tiny.vl2q rtsp://camera/stream "Who is there?"
        vl2 watch --choices open,shut http://camera/still.jpg "How is the gate?"
        vl2 watch "command:rpicam-vid -t 0 -n --codec mjpeg -o -" "What is it?"
        vl2 watch --exec espeak-ng --tell always /srv/camera "What has come?"
        vl2 watch --model tiny.vl2q gate.yaml

      A line on standard input, where it is no stream, asks at once. It ends at SIGTERM or Ctrl-C, or when there are no more \
      frames.

      Exit status: 0 ended by a signal or at the end of the frames; 64 wrong usage; 65 bad configuration or model; 66 no such \
      file, folder or camera; 69 not enough memory, no camera, or a program that it needs is missing; 75 another program uses \
      the camera.
      """)

  @OptionGroup(title: "What is looked at and asked") var watching: WatchOptions
  @OptionGroup(title: "Model and machine") var options: ModelOptions

  func run() async throws {
    if watching.list { return Console.write(try CameraList.text()) }
    signal(SIGPIPE, SIG_IGN)
    let configuration = try watching.configuration()
    let source = try configuration.source()
    let asks = LineWatch(isUsed: configuration.camera != "-")
    let output = LineOutput()
    Interruption.watch()
    Picture.openLibraries()
    // Several questions about one frame look at it once, and tiles are kept for the next one.
    let keeps = configuration.questions.count > 1 || configuration.reuse != .off
    let engine = try await options.engine(keeping: keeps ? nil : 0)
    if let notice = engine.demonstrationNotice { Console.tell(notice) }
    let loop = WatchLoop(
      configuration, source: source, engine: engine, tiles: watching.tiles,
      surroundings: .init(
        write: { output.write($0) }, note: { Console.tell($0) }, isAsked: { asks.hasLine() },
        isOver: { Interruption.isRequested || output.hasFailed }))
    let handed = Handed(loop)
    try await SystemThread.run("vl2-watch", stackBytes: 2 << 20) { try handed.loop.run() }
    output.end()
  }

  /// A loop on its way to the thread that alone uses it.
  private struct Handed: @unchecked Sendable {
    let loop: WatchLoop
    init(_ loop: WatchLoop) { self.loop = loop }
  }
}

/// What `vl2 watch` looks at, and what it asks.
struct WatchOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Ask after so long, changed or not: 30s, 5m, 1h. (default: when something has changed)",
      valueName: "time"))
  var every: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Look at this part of the picture only, in pixels.", valueName: "left,top,width,height"))
  var region: String?

  @Option(
    help: ArgumentHelp(
      "Tiles that look as they did are not looked at again: those that are the same to the last bit, or those of which no part changed by more than so many of 255 steps of brightness. (default: 4)",
      valueName: "off|exact|n"))
  var reuse: String?

  @OptionGroup var choosing: ChoiceOptions

  @Option(
    help: ArgumentHelp("Answer in JSON that fits the JSON Schema in this file.", valueName: "file"),
    completion: .file(extensions: ["json"]))
  var schema: String?

  @Option(
    help: ArgumentHelp(
      "Which answers are told: those that differ from the last one that was told, or always each.",
      valueName: "changes|always"), completion: .list(WatchQuestion.Telling.allCases.map(\.rawValue)))
  var tell = WatchQuestion.Telling.changes

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How many frames in a row must give an answer before it is told.", valueName: "n"))
  var hold = 1

  @Option(
    parsing: .unconditional, help: ArgumentHelp("The longest answer, in tokens.", valueName: "n"))
  var maxTokens = 128

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The most tiles that a frame is cut into; fewer are faster and see less. (default: as many as the model's context has room for)",
      valueName: "n"))
  var maxTiles: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "A line for the shell that is run for each answer that is told, with the answer on its standard input, a line for each sentence.",
      valueName: "command"))
  var exec: String?

  @Option(
    help: ArgumentHelp(
      "Keep the frames whose answers are told in this folder, with boxes drawn: 200 MiB of them for 7 days at most, or what 'keep' in a configuration says. (default: none)",
      valueName: "folder"), completion: .directory)
  var keepFrames: String?

  @Flag(help: "Show the cameras of this computer, with their formats, sizes and frames a second.")
  var list = false

  @Flag(help: "Of a folder, take the pictures that are there already too, not the newest alone.")
  var fromStart = false

  @Argument(
    help: ArgumentHelp(
      "The camera, or a configuration that ends in .yaml or .yml; then the question.",
      valueName: "camera question"),
    completion: .file())
  var words: [String] = []

  /// Whether the first word names a configuration.
  private var isConfigured: Bool {
    words.first.map { $0.hasSuffix(".yaml") || $0.hasSuffix(".yml") } ?? false
  }

  func validate() throws {
    if list {
      if let first = words.first { throw ValidationError("--list shows all cameras; leave '\(first)' out.") }
      return
    }
    guard let first = words.first else {
      throw ValidationError("No camera given: give one, and a question; or a configuration.")
    }
    if isConfigured {
      if words.count > 1 {
        throw ValidationError("\(first) has the questions; leave '\(words[1])' out.")
      }
      let others: [(String, Bool)] = [
        ("--choices", choosing.choices != nil), ("--choice", !choosing.choice.isEmpty),
        ("--schema", schema != nil),
        ("--min-probability", choosing.minProbability != 0), ("--tell", tell != .changes),
        ("--hold", hold != 1),
        ("--max-tokens", maxTokens != 128),
      ]
      for (name, isGiven) in others where isGiven {
        throw ValidationError("\(first) has the questions, so \(name) does not go with it; write it there.")
      }
    } else if words.count < 2 || words[1].allSatisfy(\.isWhitespace) {
      throw ValidationError("No question given: write one after \(first).")
    } else if words.count > 2 {
      throw ValidationError("'\(words[2])' is one word too many: put the question in quotes.")
    }
    if let every, !(0.1...86_400).contains(DurationText.seconds(every) ?? 0) {
      throw ValidationError("--every \(every): give a time as 30s, 5m or 1h.")
    }
    if let region, FrameRegion(region) == nil {
      throw ValidationError("--region \(region): give LEFT,TOP,WIDTH,HEIGHT in pixels.")
    }
    if let reuse, TileReuse(reuse) == nil {
      throw ValidationError("--reuse \(reuse): give \(TileReuse.form).")
    }
    if !choosing.texts.isEmpty {
      do { try ChoiceScores.check(choosing.texts) } catch {
        throw ValidationError("--choices: give two texts or more, each once.")
      }
      if schema != nil { throw ValidationError("--choices writes no JSON; leave --schema out.") }
    }
    if !(1...1000).contains(hold) { throw ValidationError("--hold \(hold): give a number from 1 to 1000.") }
    if !(1...4096).contains(maxTokens) {
      throw ValidationError("--max-tokens \(maxTokens): give a number from 1 to 4096.")
    }
    try TileOptions.check(mostTiles: maxTiles)
    if let exec, exec.allSatisfy(\.isWhitespace) { throw ValidationError("--exec: the command is empty.") }
    if let keepFrames, keepFrames.isEmpty { throw ValidationError("--keep-frames: give a folder.") }
  }

  var tiles: TileLimit { maxTiles.map { .tiles($0) } ?? .context }

  /// Everything that is to be known; what the command line says goes first.
  func configuration() throws -> WatchConfiguration {
    var configuration = WatchConfiguration()
    if isConfigured {
      configuration = try WatchConfiguration(contentsOf: words[0])
    } else {
      configuration.camera = words[0]
      var question = WatchQuestion(name: "question", text: words[1])
      if !choosing.texts.isEmpty { question.form = .choices(choosing.texts) }
      if let schema { question.form = .schema(try JSONSchema(contentsOf: schema)) }
      question.leastProbability = choosing.minProbability
      question.telling = tell
      question.holds = hold
      question.maxTokens = maxTokens
      configuration.questions = [question]
    }
    if let every { configuration.every = DurationText.seconds(every) }
    if let region { configuration.region = FrameRegion(region) }
    if let reuse = reuse.flatMap({ TileReuse($0) }) { configuration.reuse = reuse }
    if let exec { configuration.action = exec }
    if let keepFrames {
      configuration.keeping = configuration.keeping ?? FrameKeeping(folder: keepFrames)
      configuration.keeping?.folder = keepFrames
    }
    if fromStart { configuration.fromStart = true }
    return configuration
  }
}

extension WatchQuestion.Telling: ExpressibleByArgument {}

/// Lines of JSON on standard output. Where nobody takes them the program ends, but not at once as others do: what it started
/// has to end first.
private final class LineOutput {
  private var refused: String?

  var hasFailed: Bool { refused != nil }

  func write(_ value: JSONValue) {
    guard refused == nil else { return }
    let line = JSONOutput.escaped(String(decoding: value.json, as: UTF8.self)) + "\n"
    do {
      try Descriptor(STDOUT_FILENO).write(line)
    } catch {
      refused = line
    }
  }

  /// Ends the program where a line was refused, with the message and the status that this has.
  func end() {
    if let refused { Console.write(refused) }
  }
}

/// Lines on standard input, each of which asks.
private final class LineWatch {
  private var isOpen: Bool

  init(isUsed: Bool) { isOpen = isUsed }

  /// Whether one has come since the last call.
  func hasLine() -> Bool {
    var place = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    guard isOpen, poll(&place, 1, 0) > 0 else { return false }
    // Reading from a terminal in the background would stop the program.
    if isatty(STDIN_FILENO) == 1, tcgetpgrp(STDIN_FILENO) != getpgrp() { return false }
    var bytes = [UInt8](repeating: 0, count: 4096)
    let count = read(STDIN_FILENO, &bytes, bytes.count)
    if count <= 0 { isOpen = count < 0 && (errno == EINTR || errno == EAGAIN) }
    return count > 0 && bytes[..<count].contains(UInt8(ascii: "\n"))
  }
}
