import FoundationEssentials
import VL2Base
import VL2Run

/// How fast this machine answered before, for each model, way of running it and memory. It is kept in the
/// user's cache, as a convenience: if the file cannot be read or written, the program does without it.
struct SpeedCache {
  private let path: String?
  private let key: String
  private let engine: Engine
  /// Paths of what the program reads.
  private let inputs: [String]
  private var speeds: [String: SpeedEstimate]

  init(_ engine: Engine, exact: Bool, reading inputs: [String]) {
    self.engine = engine
    self.inputs = inputs + [engine.path]
    path = UserFolder.cache.map { $0 + "/speeds.json" }
    let file = URL(fileURLWithPath: engine.path).resolvingSymlinksInPath()
    let size = FileStatus(file.path)?.bytes ?? 0
    // Free memory differs a little each time; budgets that are nearly the same are equally fast.
    let memory = engine.budgetBytes.map { " memory \(($0 >> 27) << 7)M" } ?? ""
    key =
      "\(file.lastPathComponent) \(size) threads \(engine.threads) \(InstructionSet.active)\(exact ? " exact" : "")"
      + memory
    let data = path.flatMap { FileManager.default.contents(atPath: $0) }
    let known = data.flatMap { try? JSONDecoder().decode([String: SpeedEstimate].self, from: $0) } ?? [:]
    speeds = known.filter { $0.value.isSensible }
    if let threads = speeds[key]?.writingThreads { engine.remember(writingThreads: threads) }
  }

  /// The speed of this model on this machine.
  var speed: SpeedEstimate? {
    get { speeds[key] }
    set {
      let threads = engine.figures.writingThreads ?? speeds[key]?.writingThreads
      speeds[key] = newValue
      speeds[key]?.writingThreads = threads
      save()
    }
  }

  /// Records how long an answer took.
  mutating func learn(from answer: Answer) {
    if var known = speed {
      known.learn(from: answer)
      speed = known
    } else if let first = SpeedEstimate(answer) {
      speed = first
    }
  }

  private func save() {
    guard let path else { return }
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
    guard let data = try? encoder.encode(speeds) else { return }
    try? FileManager.default.createDirectory(
      atPath: PathText.folder(of: path), withIntermediateDirectories: true)
    try? OutputFile(path, .speeds, reading: inputs).write(data)
  }
}

extension ResultKind {
  fileprivate static let speeds = ResultKind("a list of speeds", endings: [".json"]) { _ in false }
}

extension SpeedEstimate {
  /// Whether a machine can have these figures; the file may hold anything.
  fileprivate var isSensible: Bool {
    tileSeconds > 0 && tileSeconds < 1e6 && promptTokensPerSecond > 0 && promptTokensPerSecond < 1e9
  }
}
