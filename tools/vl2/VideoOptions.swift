import ArgumentParser
import Glibc
import VL2Base
import VL2Console
import VL2Read
import VL2Run

/// Which pictures of a video are asked about.
struct VideoOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Of a video: the most pictures, those at which it changes. (default: 8, or as many as fit)",
      valueName: "n"))
  var frames: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Of a video: look every so often, as 5s; all of these pictures are asked about where that many fit, else those at which it changes. (default: 1s)",
      valueName: "time"))
  var every: String?

  @OptionGroup var programs: ProgramOptions

  func validate() throws {
    if let frames, !(1...1000).contains(frames) {
      throw ValidationError("--frames \(frames): give a number from 1 to 1000.")
    }
    if let every, !(0.1...3600).contains(DurationText.seconds(every) ?? 0) {
      throw ValidationError("--every \(every): give a time from 100ms to 1h, as 5s or 2m.")
    }
  }

  /// Whether one of some files is a video.
  static func hasVideo(_ paths: [String]) -> Bool {
    paths.contains { path in
      // To open a pipe and to close it again would take away what somebody writes into it.
      var status = stat()
      guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return false }
      return FileKind.ofFile(path)?.isVideo == true
    }
  }

  /// Refuses what goes with pictures alone, before any work.
  func check(_ asking: AskOptions) throws {
    let paths = asking.picturePaths
    guard Self.hasVideo(paths) else {
      for (name, isGiven) in [("--frames", frames != nil), ("--every", every != nil)] where isGiven {
        throw ValidationError("\(name) is for videos, and none is given.")
      }
      return
    }
    if paths.count > 1, !asking.each {
      throw ValidationError("A video is asked about by itself; give it alone, or use --each.")
    }
    let others: [(String, Bool)] = [
      ("--ground", !asking.ground.isEmpty), ("--boxes", asking.boxes), ("--draw", asking.draw != nil),
      ("--placed", asking.placed),
    ]
    for (name, isGiven) in others where isGiven {
      throw ValidationError("\(name) is for pictures and does not go with a video.")
    }
  }

  /// Pictures of the only file, which is a video; nil where no file is one. What fits is said before anything is looked at.
  ///
  /// - Parameters:
  ///   - question: without its turns.
  ///   - turns: those that come before.
  ///   - text: what will be asked.
  func pictures(_ paths: [String], _ question: Question, _ text: String, _ engine: Engine) async throws
    -> VideoQuestion?
  {
    guard Self.hasVideo(paths) else { return nil }
    let wanted = frames ?? (every == nil ? VideoQuestion.usual : .max)
    let room = try await VideoQuestion.room(for: question, text, atMost: min(wanted, 1000), engine)
    guard room > 0 else {
      throw Failure(
        .badData, "\(paths[0]): no picture fits into the context of \(engine.contextLength) tokens",
        "write a shorter question")
    }
    Console.tell(
      "\(paths[0]): asking about at most \(room) \(room == 1 ? "picture" : "pictures")"
        + (room < wanted && frames != nil ? ", not \(wanted)" : "")
        + (room < wanted ? ": more do not fit into the context of \(engine.contextLength) tokens" : ""))
    let status = StatusLine()
    defer { status.clear() }
    let step = every.flatMap { DurationText.seconds($0) } ?? 1
    let signals = SignalHandlers()
    // What ends the program ends ffmpeg before.
    Interruption.watch()
    defer { signals.restore() }
    let stream = try VideoFrames(paths[0], every: step, programs.running)
    defer { stream.stop() }
    var choice = FrameChoice(room)
    while let sample = try stream.next() {
      status.show("looking for changes: \(VideoTime.text(sample.seconds))")
      try choice.add(sample)
    }
    status.clear()
    let chosen = choice.chosen()
    guard !chosen.isEmpty else {
      throw ReadError.refused(path: paths[0], program: "ffmpeg", reason: "it gave no picture")
    }
    if let trouble = stream.trouble { Console.tell("\(paths[0]): ffmpeg says: \(trouble)") }
    Console.tell(
      "\(paths[0]): \(chosen.count == 1 ? "picture" : "pictures") at "
        + chosen.map { VideoTime.text($0.seconds) }.joined(separator: ", "))
    return try VideoQuestion(chosen)
  }
}

/// What signals that end programs do, to be set again.
private struct SignalHandlers {
  private let handlers = [SIGINT, SIGTERM, SIGHUP].map { number in
    let handler = signal(number, SIG_IGN)
    signal(number, handler)
    return (number, handler)
  }

  func restore() { for (number, handler) in handlers { signal(number, handler) } }
}
