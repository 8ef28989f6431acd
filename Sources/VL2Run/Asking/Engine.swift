import Synchronization
import VL2Base
import VL2Quant

/// A model that answers many callers, one question after the other.
///
/// It has a thread of its own on which everything is computed, read and waited for, so that no task of Swift's is ever
/// blocked. People go before cameras; within each class, who comes first is served first. What was read and looked at
/// is kept for all callers, within a bound.
public final class Engine: Sendable {
  let worker: EngineWorker
  let kept: KeptBytes
  private let facts: Facts
  private let sessions = Atomic<Int>(0)

  /// What never changes about a model.
  private struct Facts: Sendable {
    var path: String
    var threads: Int
    var contextLength: Int
    var demonstrationNotice: String?
    var contextNotice: String?
    var weightCount: Int
    var mainCode: WeightCode
    var budgetBytes: Int?
    var readAhead: ReadAhead?
  }

  /// Opens a packed file. Weights are read when they are first needed.
  ///
  /// - Parameters:
  ///   - keeping: the most bytes of conversations and pictures to keep for later questions; nil for an eighth of the
  ///     memory that is free, at most 512 MiB; 0 for none. Where memory is limited (`RuntimeOptions.memory`), what
  ///     is kept gives way to everything else.
  ///   - mostWaiting: the most questions that may wait; further ones fail with `EngineError.busy`.
  /// - Throws: `PackedFileError` for a damaged or foreign file, `FileError` where the config in it is not
  ///   that of a DeepSeek-VL2, `TokenizerError` for a damaged tokeniser, `ModelError` for a model that this
  ///   version does not run and for a context that it does not have, `MemoryBudgetError.tooSmall` where the model does not run in the memory that it
  ///   may take, `MemoryError` where the system refuses memory.
  public init(
    path: String, options: RuntimeOptions = RuntimeOptions(), keeping: Int? = nil, mostWaiting: Int = 16
  ) async throws {
    let bytes = keeping ?? Self.bytesToKeep
    let kept = KeptBytes()
    self.kept = kept
    worker = EngineWorker(mostWaiting: mostWaiting)
    facts = try await worker.start {
      (try Model(path: path, options: options), ReadingCache(limit: bytes, bytes: kept))
    } facts: { model in
      Facts(
        path: model.file.path, threads: model.threads, contextLength: model.contextLength,
        demonstrationNotice: model.demonstrationNotice, contextNotice: model.contextNotice,
        weightCount: model.file.manifest.weightCount, mainCode: model.file.manifest.mainCode,
        budgetBytes: model.weightStatistics.budgetBytes, readAhead: model.readAhead)
    }
  }

  deinit { worker.stop() }

  private static var bytesToKeep: Int { min(512 << 20, (AvailableMemory.read()?.available ?? 0) / 8) }

  /// Asks a question.
  ///
  /// - Returns: what happens on the way to the answer; nothing is awaited here.
  public func answer(_ question: Question) -> AnswerEvents { ask(question, in: nil) }

  /// Begins a conversation.
  public func session(system: String? = nil) -> Session {
    Session(self, number: sessions.wrappingAdd(1, ordering: .relaxed).newValue, system: system)
  }

  func ask(_ question: Question, in history: SessionHistory?) -> AnswerEvents {
    let job = AnswerJob(question, session: history)
    worker.add(job)
    return AnswerEvents(job, engine: self)
  }

  /// Counts the tokens that a question's prompt has, pictures included, between two questions.
  ///
  /// - Throws: `PromptError`, `QuestionError`.
  public func promptTokens(of question: Question) async throws -> Int {
    try await worker.perform { model, _ in try Self.promptTokens(of: question, model) }
  }

  /// The same, and calls `then` on the engine's thread, which waits.
  package func countPromptTokens(
    of question: Question, then: @escaping @Sendable (Result<Int, any Error>) -> Void
  ) {
    worker.perform({ model, _ in try Self.promptTokens(of: question, model) }, then: then)
  }

  private static func promptTokens(of question: Question, _ model: Model) throws -> Int {
    try AnswerWriter(question, turns: question.turns, model: model).promptTokens
  }

  /// Measures this machine with one tile of noise and 128 tokens, between two questions.
  ///
  /// - Throws: `PackedFileError` where weights cannot be read.
  public func measureSpeed() async throws -> SpeedEstimate {
    try await worker.perform { model, _ in try model.measureSpeed() }
  }

  /// Lets so many threads write tokens, which is what an earlier process found to be best; it is tried again from time to
  /// time. Where somebody asked for a number of threads, nothing changes.
  package func remember(writingThreads: Int) {
    worker.perform({ model, _ in model.decoder.writing.remember(writingThreads) }, then: { _ in })
  }

  /// Bytes of conversations and pictures that are kept for later questions.
  public func keptBytes() async throws -> Int { try await worker.perform { $1.byteCount } }

  /// What operators watch. Any thread may read it; no answer is waited for.
  public var figures: EngineFigures { worker.figures }

  /// The packed file, as it was named.
  public var path: String { facts.path }

  /// Threads that share the arithmetic.
  public var threads: Int { facts.threads }

  /// The most tokens of a prompt and its answer together.
  public var contextLength: Int { facts.contextLength }

  /// One line to show to users of a model that only demonstrates how things work and knows little; nil for
  /// other models.
  public var demonstrationNotice: String? { facts.demonstrationNotice }

  /// One line to show to users of a context that is longer than the model was made for; nil for others.
  public var contextNotice: String? { facts.contextNotice }

  /// How many weights the model has.
  public var weightCount: Int { facts.weightCount }

  /// The code that most of them have: q4, int8 or bf16.
  public var mainCode: String { facts.mainCode.rawValue }

  /// Bytes that everything together may take; nil where the file is mapped.
  package var budgetBytes: Int? { facts.budgetBytes }

  /// What reads the model's file meanwhile (`RuntimeOptions.readingAhead`); nil where nothing does.
  package var readAhead: ReadAhead? { facts.readAhead }

  /// Calls `body` with the model, between two questions.
  package func withModel<Result: Sendable>(
    _ body: @escaping @Sendable (Model) throws -> Result
  ) async throws -> Result {
    try await worker.perform { model, _ in try body(model) }
  }
}
