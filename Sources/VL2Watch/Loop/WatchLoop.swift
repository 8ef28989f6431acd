import VL2Base
import VL2Frames
import VL2Run

/// Looks through a camera, asks when there is reason to, and says when it cannot see.
///
/// One thread does all of it but the computing, which the engine's own does meanwhile: frames of a camera go on being taken
/// while a question is answered, so that the next one is about the newest. Nothing that it keeps grows with time.
package final class WatchLoop {
  /// What a program gives the loop and takes from it; all is called on the loop's thread.
  package struct Surroundings {
    /// Takes a line of JSON.
    package var write: (JSONValue) -> Void
    /// Takes what is not for programs.
    package var note: (String) -> Void
    /// Whether somebody has asked for an answer since the last call.
    package var isAsked: () -> Bool
    /// Whether to end.
    package var isOver: () -> Bool
    /// Who looks on. Where somebody does, the last frame is asked about when somebody asks and none is new.
    package var onlooker: WatchOnlooker?

    package init(
      write: @escaping (JSONValue) -> Void, note: @escaping (String) -> Void,
      isAsked: @escaping () -> Bool = { false }, isOver: @escaping () -> Bool
    ) {
      self.write = write
      self.note = note
      self.isAsked = isAsked
      self.isOver = isOver
    }
  }

  private let configuration: WatchConfiguration
  private let source: KeptSource
  private let engine: Engine
  private let tiles: TileLimit
  private let surroundings: Surroundings
  private var changes: ChangeWatch
  private var sight: SightWatch
  private var told: [ToldAnswers]
  private var action: AnswerAction?
  private let keeper: FrameKeeper?
  private var hasFailedToKeep = false
  private var asking: Asking? { didSet { surroundings.onlooker?.asks(asking?.reason.rawValue) } }
  /// The newest frame of a camera that is looked at less often than it gives frames.
  private var newest = NewestFrame()
  private var nextLook = 0.0
  /// The last frame that was looked at, of a source that may have no other one for long and where somebody looks on.
  private var seen: (frame: Frame, picture: Picture, pattern: LocalPattern)?
  /// When the frame was taken that was asked about last.
  private var lastAsked: Double?
  private var isAsked = false
  private var asksAgain = false
  /// No question before then: the last one failed.
  private var pausedUntil = 0.0
  private var frames = 0
  private var answers = 0
  private var brokenFrames = 0
  /// What was wrong with the last frame that could not be decoded.
  private var brokenReason: String?
  private var toldBroken = 0
  private var lastToldBroken = -Double.infinity
  private var isOutside = false

  /// - Parameter tiles: into how many tiles a frame is cut.
  package init(
    _ configuration: WatchConfiguration, source: any FrameSource, engine: Engine, tiles: TileLimit,
    surroundings: Surroundings
  ) {
    self.configuration = configuration
    self.engine = engine
    self.tiles = tiles
    self.surroundings = surroundings
    self.source = KeptSource(
      source, hungAfter: configuration.hungAfter ?? (source.isLive ? Self.secondsToHang(configuration) : nil))
    changes = ChangeWatch(settlingFrames: configuration.settlingFrames ?? source.framesToSettle)
    sight = SightWatch(frozenAfter: configuration.frozenAfter)
    told = configuration.questions.map { _ in ToldAnswers() }
    action = configuration.action.map { AnswerAction($0, seconds: configuration.actionSeconds) }
    keeper = configuration.keeping.map { FrameKeeper($0) }
  }

  /// Stills come as often as they are looked at.
  private static func secondsToHang(_ configuration: WatchConfiguration) -> Double {
    max(10, 3 / configuration.looksPerSecond)
  }

  private static let secondsAfterFailure = 5.0
  private static let secondsBetweenBroken = 60.0

  /// Runs until it is told to end, or there are no more frames and everything is answered and handed on.
  ///
  /// - Parameter waits: whether a camera that cannot be had from the start is waited for.
  /// - Throws: a `ReportableError` where the camera or the folder for frames cannot be had from the start.
  package func run(waitsForCamera waits: Bool = false) throws {
    try keeper?.start(camera: configuration.camera)
    if waits { source.startLater() } else { try source.start() }
    defer { stop() }
    var isAtEnd = false
    while !surroundings.isOver() {
      surroundings.onlooker?.goesRound()
      if let error = action?.step() { surroundings.note(error.line()) }
      takeAnswers()
      keeper?.tidyNowAndThen()
      if surroundings.isAsked() { isAsked = true }
      askAgainAboutSeen()
      // Frames that wait are not taken while nobody can be asked about them.
      if isAtEnd || asking != nil && !source.source.isLive {
        if isAtEnd, asking == nil, action?.isBusy != true { break }
        SystemThread.sleep(0.01)
        continue
      }
      isAtEnd = lookOnce()
    }
    tellBroken(always: true)
    surroundings.write(
      WatchLine.event(
        "ended", at: .now, ("frames", .integer(frames)), ("answers", .integer(answers)),
        ("broken", .integer(broken)), ("dropped", .integer(dropped))))
  }

  private var broken: Int { brokenFrames + source.source.counts.broken }
  private var dropped: Int { newest.dropped + source.source.counts.dropped }

  private func stop() {
    asking?.cancel()
    asking = nil
    action?.stop()
    source.stop()
  }

  /// Waits for a frame for a moment, and looks at it when it is time.
  ///
  /// - Returns: whether there are no more frames.
  private func lookOnce() -> Bool {
    let isLive = source.source.isLive
    let now = FrameTime.now.steady
    // Short, because what comes otherwise than as a frame is looked for in between.
    var wait = asking == nil ? 0.2 : 0.05
    if !newest.isEmpty { wait = min(wait, max(0, nextLook - now)) }
    var isAtEnd = false
    switch source.next(within: wait) {
    case .frame(let frame): newest.put(frame)
    case .event(let event): tell(event)
    case .end: isAtEnd = true
    case .nothing: break
    }
    if isAtEnd || !isLive || FrameTime.now.steady >= nextLook, let frame = newest.take() {
      nextLook = FrameTime.now.steady + 1 / configuration.looksPerSecond
      look(frame)
    }
    tellBroken()
    return isAtEnd
  }

  private func look(_ frame: Frame) {
    frames += 1
    let whole: Picture
    do {
      whole = try frame.picture()
    } catch {
      brokenFrames += 1
      brokenReason = (error as? any ReportableError)?.problem
      return
    }
    guard let picture = part(of: whole, at: frame.time) else {
      seen = nil
      return
    }
    surroundings.onlooker?.sees(
      frame, picture, configuration.region == nil && configuration.mask.isEmpty)
    let small = SmallPicture(picture, leavingOut: mask(on: whole))
    if let event = sight.look(small, at: frame.time) { tell(event, at: frame.time) }
    guard sight.isSeeing else {
      seen = nil
      return changes.interrupt()
    }
    let pattern = LocalPattern(small)
    if surroundings.onlooker != nil, !source.source.isLive { seen = (frame, picture, pattern) }
    let isChanged = changes.look(pattern)
    guard asking == nil, FrameTime.now.steady >= pausedUntil, let reason = reason(isChanged, frame.time)
    else {
      return
    }
    ask(frame, picture, pattern, reason)
  }

  private func ask(_ frame: Frame, _ picture: Picture, _ pattern: LocalPattern, _ reason: AskingReason) {
    (isAsked, asksAgain) = (false, false)
    lastAsked = frame.time.steady
    asking = Asking(
      frame, picture, pattern, reason, configuration.questions, engine, tiles, configuration.reuse,
      works: surroundings.onlooker?.works)
  }

  /// Somebody asked, and sees a frame that no other one may come after for long.
  private func askAgainAboutSeen() {
    guard isAsked, asking == nil, let seen, FrameTime.now.steady >= pausedUntil else { return }
    ask(seen.frame, seen.picture, seen.pattern, .asked)
  }

  private func reason(_ isChanged: Bool, _ time: FrameTime) -> AskingReason? {
    if isAsked { return .asked }
    if asksAgain { return .hold }
    if isChanged, configuration.asksOnChange { return lastAsked == nil ? .start : .change }
    guard let every = configuration.every else { return nil }
    guard let lastAsked else { return .start }
    return abs(time.steady - lastAsked) >= every ? .timer : nil
  }

  /// What is looked at of a frame; nil where the region lies outside of it.
  private func part(of picture: Picture, at time: FrameTime) -> Picture? {
    let covered = picture.covering(configuration.mask)
    guard let region = configuration.region else { return covered }
    let part = covered.part(region)
    if part == nil, !isOutside {
      surroundings.write(
        WatchLine.event(
          "outside", at: time, ("message", "the region lies outside of the picture"),
          ("width", .integer(picture.width)), ("height", .integer(picture.height))))
    }
    isOutside = part == nil
    return part
  }

  private func mask(on picture: Picture) -> [FrameRegion] {
    guard let region = configuration.region?.clipped(width: picture.width, height: picture.height) else {
      return configuration.mask
    }
    return configuration.mask.compactMap { $0.place(on: region) }
  }

  private func takeAnswers() {
    while let current = asking, let (question, text, written) = current.next() {
      if question.isToldAsWritten { action?.write(text, of: question.name) }
      guard let answer = written else { continue }
      if question.isToldAsWritten { action?.finish(of: question.name, isWhole: answer.error == nil) }
      if let error = answer.error {
        surroundings.write(
          WatchLine.event(
            "failed", at: .now, ("question", .text(question.name)), ("message", .text(error.problem))))
        pausedUntil = FrameTime.now.steady + Self.secondsAfterFailure
      } else {
        tell(answer, of: question, current)
      }
      if current.isOver {
        if FrameTime.now.steady >= pausedUntil { changes.answer(current.pattern) }
        asking = nil
      }
    }
  }

  private func tell(_ answer: Answer, of question: WatchQuestion, _ current: Asking) {
    answers += 1
    guard let index = configuration.questions.firstIndex(where: { $0.name == question.name }) else { return }
    let text = WatchLine.text(answer, of: question)
    switch told[index].judge(text, of: question) {
    case .keep: surroundings.onlooker?.judges(question.name, text != nil)
    case .askAgain: asksAgain = true
    case .tell:
      surroundings.write(WatchLine.answer(answer, of: question, current))
      if let text { hand(text, of: question) }
      keep(current, answer, of: index)
    }
  }

  /// Hands an answer on, but for one whose sentences were handed on as they ended.
  private func hand(_ text: String, of question: WatchQuestion) {
    if question.isToldAsWritten { return }
    guard case .free = question.form, !question.finds else {
      action?.take(text, of: question.name)
      return
    }
    action?.write(text, of: question.name)
    action?.finish(of: question.name)
  }

  /// Keeps the frame that was answered, where that is wanted. What fails is told once, until it works again.
  private func keep(_ current: Asking, _ answer: Answer, of question: Int) {
    do {
      try keeper?.keep(
        current.picture.drawing(answer.grounding.spans), at: current.frame.time, question: question,
        name: configuration.questions[question].name)
      hasFailedToKeep = false
    } catch {
      let problem = (error as? any ReportableError)?.problem ?? "a frame cannot be kept"
      if !hasFailedToKeep {
        surroundings.write(WatchLine.event("failed", at: .now, ("message", .text(problem))))
      }
      hasFailedToKeep = true
    }
  }

  private func tell(_ event: SightEvent, at time: FrameTime) {
    switch event {
    case .frozen(let seconds):
      surroundings.write(WatchLine.event("frozen", at: time, ("seconds", .real(seconds))))
    case .dark: surroundings.write(WatchLine.event("dark", at: time))
    case .back: surroundings.write(WatchLine.event("back", at: time))
    }
  }

  private func tell(_ event: SourceEvent) {
    switch event {
    case .gone(let reason):
      surroundings.write(WatchLine.event("gone", at: .now, ("message", .text(UntrustedText.line(reason)))))
    case .hung(let seconds):
      surroundings.write(WatchLine.event("hung", at: .now, ("seconds", .real(seconds))))
    case .back: surroundings.write(WatchLine.event("back", at: .now))
    }
    if event != .back { seen = nil }
    changes.interrupt()
  }

  /// Says that frames were broken: now and then, since a bad cable breaks many.
  private func tellBroken(always: Bool = false) {
    let now = FrameTime.now
    guard broken > toldBroken, always || now.steady - lastToldBroken >= Self.secondsBetweenBroken else {
      return
    }
    lastToldBroken = now.steady
    toldBroken = broken
    var line = WatchLine.event("broken", at: now, ("frames", .integer(broken)))
    if let brokenReason { line.append("message", .text(brokenReason)) }
    surroundings.write(line)
  }
}
