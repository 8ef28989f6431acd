import Foundation
import Synchronization
import TestFrames
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Frames
import VL2Run
import VL2Watch

/// The loop on a model that answers anything, through frames that are drawn.
@Suite struct WatchLoopTests {
  /// Frames in their order, half a second apart.
  private final class Reel: FrameSource {
    let name = "reel"
    let isLive: Bool
    let isRestartable = false
    let counts = FrameCounts()
    private var frames: [Frame.Content]
    private var next = 0
    private let pause: Double

    init(_ frames: [Frame.Content], isLive: Bool = false, pause: Double = 0) {
      self.frames = frames
      self.isLive = isLive
      self.pause = pause
    }

    func start() throws {}
    func stop() {}
    func next(within seconds: Double) throws -> FrameArrival {
      guard next < frames.count else { return .end }
      Thread.sleep(forTimeInterval: pause)
      defer { next += 1 }
      let time = FrameTime(wall: 1_800_000_000 + Double(next) / 2, steady: Double(next) / 2)
      return .frame(Frame(frames[next], name: "\(next)", time: isLive ? .now : time))
    }
  }

  /// A folder up to the place where nothing more is in it.
  private final class WholeFolder: FrameSource {
    private let folder: FolderSource
    init(_ path: String) { folder = FolderSource(path, fromStart: true) }

    var name: String { folder.name }
    var isLive: Bool { folder.isLive }
    var isRestartable: Bool { folder.isRestartable }
    var framesToSettle: Int { folder.framesToSettle }
    var counts: FrameCounts { folder.counts }
    func start() throws { try folder.start() }
    func stop() { folder.stop() }
    func next(within seconds: Double) throws -> FrameArrival {
      let arrival = try folder.next(within: seconds)
      guard case .nothing = arrival else { return arrival }
      return .end
    }
  }

  /// Lines that the loop wrote.
  private struct Lines {
    var all: [JSONValue] = []

    func text(_ line: JSONValue, _ key: String) -> String? {
      guard case .string(let bytes)? = line.member(key) else { return nil }
      return String(decoding: bytes, as: UTF8.self)
    }

    var events: [String] { all.compactMap { text($0, "event") } }
    /// The frames that were asked about, with the reasons.
    var asked: [String] {
      all.compactMap { line in text(line, "frame").map { "\($0) \(text(line, "reason") ?? "")" } }
    }

    func number(_ key: String) -> Int? {
      guard case .integer(let value)? = all.last?.member(key) else { return nil }
      return value
    }
  }

  /// What comes from outside while the loop runs.
  private struct Signals {
    var isAsked: () -> Bool = { false }
    var isOver: () -> Bool = { false }
  }

  private func watch(
    _ frames: [Frame.Content], model: String? = nil, source: (any FrameSource)? = nil,
    signals: Signals = Signals(), _ change: (inout WatchConfiguration) -> Void = { _ in }
  ) async throws -> Lines {
    var configuration = WatchConfiguration()
    var question = WatchQuestion(name: "what", text: "What is it?")
    question.form = .choices(["a cat", "a dog"])
    question.telling = .always
    configuration.questions = [question]
    configuration.frozenAfter = nil
    change(&configuration)
    let engine = try await Engine(path: try model ?? PackedModels.path("nano-mha", .q4), keeping: 0)
    let lines = Mutex(Lines())
    let loop = WatchLoop(
      configuration, source: source ?? Reel(frames), engine: engine, tiles: .tiles(1),
      surroundings: .init(
        write: { line in lines.withLock { $0.all.append(line) } }, note: { Issue.record("\($0)") },
        isAsked: signals.isAsked, isOver: signals.isOver))
    try loop.run()
    return lines.withLock { $0 }
  }

  private static let room = DrawnScene(width: 320, height: 240)
  private var room: DrawnScene { Self.room }

  private func shots(_ scene: DrawnScene, _ count: Int, from seed: UInt64) -> [Frame.Content] {
    (0..<UInt64(count)).map { .decoded(scene.picture(seed: seed + $0)) }
  }

  /// Each change of the scene is answered once; light, noise and compression never; what hides the scene is told once.
  @Test func changesAlone() async throws {
    var frames: [Frame.Content] = []
    var expected: [String] = []
    func add(_ scene: DrawnScene, _ count: Int = 4, isChange: Bool = true) {
      // The second frame of a scene is the first one that is settled.
      if isChange { expected.append("\(frames.count + 1)") }
      frames += shots(scene, count, from: UInt64(frames.count))
    }
    add(room)
    var lit = room
    lit.light = { x, _ in 0.3 + 0.5 * x }
    add(lit, isChange: false)
    var person = lit
    person.shapes.append(.init(0.9, 0.72, 0.07, 0.25, [0.1, 0.1, 0.15]))
    add(person)
    var noisy = person
    noisy.noise = 7
    add(noisy, 6, isChange: false)
    add(lit)
    var covered = lit
    covered.light = { _, _ in 0 }
    add(covered, 8, isChange: false)
    add(lit, 6, isChange: false)
    for quality in [90, 40, 20] {
      frames += try shots(lit, 2, from: UInt64(frames.count)).map {
        .encoded(try Frame($0).picture().jpeg(quality: quality))
      }
    }
    var five = room
    five.shapes.remove(at: 2)
    add(five)
    let frozen = five.picture(seed: 99)
    frames += Array(repeating: .decoded(frozen), count: 12)
    add(five, 4, isChange: false)
    let lines = try await watch(frames) { $0.frozenAfter = 4 }
    #expect(
      lines.asked == zip(expected, ["start"] + Array(repeating: "change", count: 9)).map { "\($0) \($1)" })
    #expect(lines.events == ["dark", "back", "frozen", "back", "ended"])
    #expect(lines.number("frames") == frames.count && lines.number("answers") == expected.count)
    #expect(lines.number("broken") == 0 && lines.number("dropped") == 0)
    let first = try #require(lines.all.first)
    #expect(
      lines.text(first, "time") == "2027-01-15T08:00:00.500Z" && lines.text(first, "question") == "what")
    #expect(["a cat", "a dog"].contains(lines.text(first, "answer") ?? ""))
    #expect((first.member("probability")?.number ?? 0) >= 0.5 && first.member("tiles") == .integer(1))
  }

  /// A folder of 400 pictures, in which light, noise and compression change all the time and the scene now and then: each
  /// change is answered once, with what the model says of that picture by itself.
  @Test func folderOf400() async throws {
    let folder = FileManager.default.temporaryDirectory.path + "/vl2-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var reel = Picture400(folder: folder)
    var scene = DrawnScene(width: 320, height: 240)
    try reel.add(scene, 24)
    // A thing of six goes, comes in another colour, moves; somebody stands in each corner; all at once.
    scene.shapes.remove(at: 4)
    try reel.add(scene, 24)
    scene.shapes.append(.init(0.45, 0.6, 0.16, 0.2, [0.1, 0.5, 0.6], isRound: true))
    try reel.add(scene, 24)
    scene.shapes[0].x += 0.06
    try reel.add(scene, 24)
    try reel.cover(scene, 12)
    try reel.add(scene, 12, isChange: false)
    for (x, y) in [(0.0, 0.74), (0.92, 0.74), (0.92, 0.0), (0.0, 0.0)] {
      var visited = scene
      visited.shapes.append(.init(x, y, 0.08, 0.26, [0.12, 0.1, 0.16]))
      try reel.add(visited, 24)
      try reel.add(scene, 24)
    }
    try reel.freeze(scene, 16)
    try reel.add(scene, 12, isChange: false)
    scene.shapes = Array(DrawnScene.sixShapes.suffix(2))
    try reel.add(scene, 60)
    #expect(reel.count == 400)
    let model = try PackedModels.pocket()
    let lines = try await watch([], model: model, source: WholeFolder(folder)) {
      configuration in
      configuration.frozenAfter = 8
      configuration.questions = [WatchQuestion(name: "what", text: "What is in the picture?")]
      configuration.questions[0].telling = .always
      configuration.questions[0].maxTokens = 12
    }
    #expect(lines.events == ["dark", "back", "frozen", "back", "ended"])
    #expect(lines.number("frames") == 400 && lines.number("answers") == reel.changes.count)
    #expect(
      lines.asked
        == zip(reel.changes, ["start"] + reel.changes.map { _ in "change" }).map { "\($0).jpg \($1)" })
    let engine = try await Engine(path: model, keeping: 0)
    for line in lines.all where line.member("answer") != nil {
      let name = lines.text(line, "frame") ?? ""
      var question = Question(
        "What is in the picture?", pictures: [try Picture(contentsOf: folder + "/" + name)], maxTokens: 12)
      question.tileLimit = .tiles(1)
      let still = try await engine.answer(question).answer()
      #expect(lines.text(line, "answer") == still.text.trimmingCharacters(in: .whitespaces), "\(name)")
    }
  }

  /// Pictures on their way into a folder, one a second, as a camera in a room makes them.
  private struct Picture400 {
    let folder: String
    private(set) var count = 0
    /// The first frames of scenes.
    private(set) var changes: [Int] = []

    init(folder: String) { self.folder = folder }

    private mutating func put(_ jpeg: [UInt8]) throws {
      let path = "\(folder)/\(count).jpg"
      try write(jpeg, to: path)
      let time = Date(timeIntervalSince1970: 1_800_000_000 + Double(count))
      try FileManager.default.setAttributes([.modificationDate: time], ofItemAtPath: path)
      count += 1
    }

    mutating func add(_ scene: DrawnScene, _ frames: Int, isChange: Bool = true) throws {
      if isChange { changes.append(count) }
      for _ in 0..<frames {
        var lit = scene
        let step = count / 4
        let (strength, slope) = ([1, 0.35, 1.4, 0.7][step % 4], [0, 0.5, -0.4][step % 3])
        lit.light = { x, y in strength * (1 + slope * (x - 0.5) + 0.3 * slope * (y - 0.5)) }
        lit.lightColor = [[1, 1, 1], [1.1, 0.97, 0.8]][step % 2]
        lit.noise = [1, 3, 5][step % 3]
        try put(lit.picture(seed: UInt64(count)).jpeg(quality: [90, 70, 50, 80, 40][step % 5]))
      }
    }

    /// A lens with something before it.
    mutating func cover(_ scene: DrawnScene, _ frames: Int) throws {
      var covered = scene
      covered.light = { _, _ in 0.0002 }
      for _ in 0..<frames { try put(covered.picture(seed: UInt64(count)).jpeg()) }
    }

    mutating func freeze(_ scene: DrawnScene, _ frames: Int) throws {
      let jpeg = scene.picture(seed: 1).jpeg()
      for _ in 0..<frames { try put(jpeg) }
    }
  }

  @Test func reasons() async throws {
    let frames = shots(room, 12, from: 0)
    let timed = try await watch(frames) {
      $0.every = 2
      $0.asksOnChange = false
    }
    #expect(timed.asked == ["0 start", "4 timer", "8 timer"])
    let isAsked = Mutex(7)
    let asking = Signals(isAsked: {
      isAsked.withLock {
        $0 -= 1
        return $0 == 0
      }
    })
    let asked = try await watch(frames, signals: asking)
    #expect(
      asked.asked.count == 2 && asked.asked.first == "1 start"
        && asked.asked.last?.hasSuffix(" asked") == true)
  }

  @Test func brokenFrames() async throws {
    var frames = shots(room, 6, from: 0)
    let whole = room.picture(seed: 1).jpeg()
    frames.insert(.encoded(Array(whole.prefix(whole.count / 2))), at: 2)
    frames.insert(.encoded([1, 2, 3]), at: 4)
    let lines = try await watch(frames)
    #expect(lines.asked == ["1 start"] && lines.events == ["broken", "broken", "ended"])
    #expect(lines.number("broken") == 2)
    let told = lines.all.filter { lines.text($0, "event") == "broken" }.map {
      lines.text($0, "message") ?? ""
    }
    #expect(told.first?.hasPrefix("2: ") == true && told.last?.hasPrefix("4: ") == true, "\(told)")
  }

  @Test func regionAndMask() async throws {
    var person = room
    person.shapes.append(.init(0.9, 0.72, 0.07, 0.25, [0.1, 0.1, 0.15]))
    let frames = shots(room, 4, from: 0) + shots(person, 4, from: 4)
    let left = try await watch(frames) { $0.region = FrameRegion(left: 0, top: 0, width: 270, height: 240) }
    #expect(left.asked == ["1 start"])
    let masked = try await watch(frames) {
      $0.mask = [FrameRegion(left: 280, top: 165, width: 40, height: 75)]
    }
    #expect(masked.asked == ["1 start"])
    let corner = try await watch(frames) {
      $0.region = FrameRegion(left: 200, top: 120, width: 500, height: 500)
    }
    #expect(corner.asked == ["1 start", "5 change"])
    let outside = try await watch(frames) {
      $0.region = FrameRegion(left: 400, top: 0, width: 10, height: 10)
    }
    #expect(outside.asked.isEmpty && outside.events == ["outside", "ended"])
  }

  /// Several questions about a frame: choices, JSON, text; what is told again and what not.
  @Test func questions() async throws {
    var frames: [Frame.Content] = []
    for turn in 0..<4 {
      var scene = room
      if turn % 2 == 1 { scene.shapes.removeLast() }
      frames += shots(scene, 5, from: UInt64(10 * turn))
    }
    let schema = try JSONSchema(
      Array(
        #"{"type":"object","properties":{"n":{"type":"integer","minimum":0,"maximum":9}},"required":["n"]}"#
          .utf8), name: "s")
    let lines = try await watch(frames) { configuration in
      var json = WatchQuestion(name: "count", text: "How many?")
      json.form = .schema(schema)
      json.telling = .always
      var never = WatchQuestion(name: "unsure", text: "Is it open?")
      never.form = .choices(["open", "shut"])
      never.leastProbability = 1
      var changes = WatchQuestion(name: "changes", text: "What is it?")
      changes.maxTokens = 3
      configuration.questions = [json, never, changes]
    }
    let counts = lines.all.filter { lines.text($0, "question") == "count" }
    #expect(counts.count == 4)
    for line in counts {
      guard case .integer? = line.member("answer")?.member("n") else {
        Issue.record("\(String(decoding: line.json, as: UTF8.self))")
        continue
      }
    }
    #expect(!lines.all.contains { lines.text($0, "question") == "unsure" })
    // Each time another text than the one that was told before.
    let texts = lines.all.filter { lines.text($0, "question") == "changes" }.map { lines.text($0, "answer") }
    #expect(!texts.isEmpty && zip(texts, texts.dropFirst()).allSatisfy { $0 != $1 })
    #expect(lines.number("answers") == 12)
  }

  /// An answer that has to hold is asked for again with the next frames, and told once.
  @Test func holds() async throws {
    let lines = try await watch(shots(room, 8, from: 0)) {
      $0.questions[0].telling = .changes
      $0.questions[0].holds = 3
    }
    #expect(lines.asked == ["3 hold"] && lines.number("answers") == 3)
  }

  /// A camera goes on while a question is answered, and ends at once when it is told to.
  @Test func live() async throws {
    let reel = Reel(shots(room, 400, from: 0), isLive: true, pause: 0.005)
    let lines = try await watch([], source: reel) {
      $0.looksPerSecond = 30
      $0.every = 0.1
    }
    #expect(lines.asked.count >= 2)
    let frames = try #require(lines.number("frames"))
    let dropped = try #require(lines.number("dropped"))
    #expect(frames + dropped == 400 && dropped > 0)
    let begin = ContinuousClock.now
    let endless = Reel(shots(room, 10, from: 0), isLive: true, pause: 0.1)
    let ended = try await watch(
      [], source: endless, signals: Signals(isOver: { ContinuousClock.now - begin > .seconds(0.5) }))
    #expect(ended.events == ["ended"])
  }

  /// A command is given the sentences of every answer that is told, once each: as they end, or when it is known that they
  /// are told.
  @Test(arguments: [WatchQuestion.Telling.always, .changes]) func sentences(
    telling: WatchQuestion.Telling
  ) async throws {
    let out = FileManager.default.temporaryDirectory.path + "/vl2-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: out) }
    let lines = try await watch(shots(room, 8, from: 0)) {
      $0.questions = [WatchQuestion(name: "what", text: "What is it?")]
      $0.questions[0].telling = telling
      $0.questions[0].maxTokens = 40
      $0.action = "echo \"$1:\" >>\(out); cat >>\(out)"
    }
    let answer = try #require(lines.all.first.flatMap { lines.text($0, "answer") })
    let told = try String(contentsOfFile: out, encoding: .utf8)
    func bare(_ text: String) -> [Unicode.Scalar] {
      text.unicodeScalars.filter { !$0.properties.isWhitespace && !$0.breaksLine }
    }
    #expect(bare(told) == bare("what:" + answer), "\(told)")
    #expect(told.hasPrefix("what:\n") && told.hasSuffix("\n"))
  }

  /// The frame of each answer that is told is kept; what cannot be kept is told once.
  @Test func keptFrames() async throws {
    let folder = FileManager.default.temporaryDirectory.path + "/vl2-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var less = room
    less.shapes.removeLast(2)
    let frames = shots(room, 4, from: 0) + shots(less, 4, from: 4) + shots(room, 4, from: 8)
    var keeping = FrameKeeping(folder: folder)
    let lines = try await watch(frames) { $0.keeping = keeping }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    #expect(lines.asked.count == 3)
    #expect(
      names == ["0.500", "2.500", "4.500"].map { "vl2-20270115T08000\($0)Z-1-what.jpg" }, "\(names)")
    for name in names {
      let picture = try Picture(contentsOf: folder + "/" + name)
      #expect(picture.width == 320 && picture.height == 240)
    }
    keeping.bytes = 100
    let refused = try await watch(frames) { $0.keeping = keeping }
    #expect(refused.events == ["failed", "ended"] && refused.asked.count == 3)
    // Nothing is kept unless it is wanted.
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
  }
}
