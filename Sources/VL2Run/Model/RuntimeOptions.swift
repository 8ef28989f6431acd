/// How a model runs.
public struct RuntimeOptions: Sendable {
  /// Threads that share the arithmetic. nil for one for each processor that this process may use, and that is fast where
  /// they differ; fewer of them write tokens where that is found to be as fast.
  public var threads: Int?
  public var activations: ActivationMode
  /// Whether a section's checksum is verified when the section is first read.
  public var checks: Bool
  /// Memory that everything together may take.
  public var memory: MemoryChoice
  /// How multi-head attention keeps keys and values; with float32 activations they are float32, whatever this
  /// says.
  public var keyValues = KeyValueCode.int8
  /// The most tokens of a prompt and its answer together, which bounds the memory that a conversation takes: from 64 to
  /// twice as many as the model was made for; nil for as many as it was made for.
  public var contextLength: Int?
  /// Whether `Model.routes` records which experts were used.
  public var recordsRoutes = false
  /// Where there is a budget, reads are limited to so many bytes a second, to imitate a slow card.
  public var bytesPerSecond: Int?
  /// What of the file is read in the background from the moment that it is opened, where it is mapped and memory has room for
  /// it.
  public var readingAhead = ReadingAhead.off
  /// The number of slots for experts, whatever memory that takes.
  package var slots: Int?
  package var policy = ReplacementPolicy.likely

  public init(
    threads: Int? = nil, activations: ActivationMode = .int8, memory: MemoryChoice = .automatic,
    checks: Bool = true
  ) {
    self.threads = threads
    self.activations = activations
    self.memory = memory
    self.checks = checks
  }

  var keyValuesInUse: KeyValueCode { activations == .float32 ? .float32 : keyValues }
}
