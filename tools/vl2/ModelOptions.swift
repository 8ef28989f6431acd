import ArgumentParser
import FoundationEssentials
import Glibc
import VL2Console
import VL2Measure
import VL2Run
import VL2Serve

/// Which model, and how it runs.
struct ModelOptions: ParsableArguments {
  @Option(
    help: ModelFile.help, completion: .file(extensions: ["vl2q"]))
  var model: String?

  @OptionGroup var threads: ThreadOption

  @Flag(help: "Compute with float32 activations instead of int8: slower, for comparison.")
  var exact = false

  @Option(
    name: .customLong("kv"),
    help: ArgumentHelp(
      "How a conversation is kept in memory: int8, or f32, which takes four times as much. (default: int8; f32 with --exact)",
      valueName: "code"),
    completion: .list(KeyValueCode.allCases.map(\.rawValue)), transform: Self.keyValues)
  var keyValues: KeyValueCode?

  @Option(
    help: ArgumentHelp(
      "Memory for everything together: a size as 900M or 2G; auto: what this machine has free; mapped: as the system sees fit. (default: auto)",
      valueName: "size"),
    completion: .list(["auto", "mapped"]), transform: Self.memory)
  var memory: [MemoryChoice] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The most tokens of a prompt and its answer together, from 64 on: fewer take less memory. Up to twice as many as the model was made for are possible. (default: as many as it was made for, 4096 for the published ones)",
      valueName: "n"))
  var context: Int?

  @Flag(name: .customLong("no-check"), help: "Do not check weights for damage when they are first read.")
  var unchecked = false

  @Flag(
    name: .customLong("no-read-ahead"),
    help: "Read the model's file when its parts are wanted, not in advance while a picture is looked at.")
  var readsLate = false

  func validate() throws {
    if exact, keyValues == .int8 {
      throw ValidationError("--kv int8 with --exact: exact attention keeps float32; leave one of them out.")
    }
  }

  private static func memory(_ text: String) throws -> MemoryChoice {
    guard let choice = MemoryChoice(text) else {
      throw ValidationError("give a size, for example 900M or 2G, or auto.")
    }
    return choice
  }

  private static func keyValues(_ text: String) throws -> KeyValueCode {
    guard let code = KeyValueCode(rawValue: text) else {
      throw ValidationError("keys and values are kept as int8 or f32.")
    }
    return code
  }

  /// Opens the model for questions.
  ///
  /// - Parameters:
  ///   - keeping: the most bytes to keep for later questions; nil for as many as the machine has room for.
  ///   - readingAhead: what is read in advance, unless somebody does not want that.
  func engine(
    keeping: Int?, mostWaiting: Int = 16, readingAhead: ReadingAhead = .forPictures
  ) async throws -> Engine {
    var options = try runtimeOptions()
    options.readingAhead = readsLate ? .off : readingAhead
    let engine = try await Engine(
      path: try path(), options: options, keeping: keeping, mostWaiting: mostWaiting)
    if let notice = engine.contextNotice { Console.tell(notice) }
    return engine
  }

  /// Opens the model for measurements.
  func open(
    recordsRoutes: Bool = false, bytesPerSecond: Int? = nil, memory: MemoryChoice? = nil
  ) throws -> Model {
    try open(try path(), recordsRoutes: recordsRoutes, bytesPerSecond: bytesPerSecond, memory: memory)
  }

  /// Opens a packed file in the same way.
  func open(
    _ path: String, recordsRoutes: Bool = false, bytesPerSecond: Int? = nil, memory: MemoryChoice? = nil
  ) throws -> Model {
    var options = try runtimeOptions(memory: memory)
    options.recordsRoutes = recordsRoutes
    options.bytesPerSecond = bytesPerSecond
    let model = try Model(path: path, options: options)
    if let notice = model.contextNotice { Console.tell(notice) }
    return model
  }

  /// The packed model's path.
  func path() throws -> String {
    guard let path = try ModelFile.path(model), !path.isEmpty else {
      throw ValidationError(
        "No model given: use --model FILE, set VL2_MODEL, or put one into \(InstalledModels.folder).")
    }
    return path
  }

  /// What answers to a batch depend on besides its requests.
  func batchSettings(_ model: ServedModel, _ limits: AskingLimits) -> String {
    let code = keyValues ?? (exact ? .float32 : .int8)
    return ServedModel.settings(model, limits, isExact: exact, keyValues: code.rawValue)
  }

  private func runtimeOptions(memory: MemoryChoice? = nil) throws -> RuntimeOptions {
    if let refused = InstructionSet.refused {
      Console.tell(
        "VL2_ISA=\(refused) is no instruction set of this processor; \(InstructionSet.active) is used")
    }
    if memory == nil, self.memory.count > 1 {
      throw ValidationError("--memory is given twice: give it once.")
    }
    var options = RuntimeOptions(
      threads: threads.threads, activations: exact ? .float32 : .int8,
      memory: memory ?? self.memory.first ?? .automatic,
      checks: !unchecked)
    options.keyValues = keyValues ?? .int8
    options.contextLength = context
    return options
  }
}
