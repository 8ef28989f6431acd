import VL2Base

/// Writes packed files.
public struct ModelPacker: Sendable {
  public var recipe: Recipe
  /// Whether sections may be stored as zstd frames. The tokeniser's source text always may be.
  public var compression: PackedSection.Compression
  /// Threads that read and encode. The output does not depend on their number.
  public var threads: Int
  /// The program and its version, recorded in the manifest.
  public var tool: String
  /// Files besides the checkpoint that the work was read from, such as a recipe; no result takes their place.
  public var otherInputs: [String] = []
  /// What columns count when the scales of a checkpoint's matrices are chosen; nil where all count the same.
  package var calibration: PackingCalibration?
  /// Called often, on any thread. Throwing from it cancels the packing, and the target is unchanged.
  public var check: @Sendable () throws -> Void = {}

  /// What happens to the work if packing ends early.
  public enum Unfinished: Sendable {
    /// Nothing of it is kept.
    case remove
    /// It is kept beside the target, for `resume`, after a failure that packing again can overcome: an
    /// interruption, a full disk. What an earlier run left is replaced.
    case keep
    /// Like `keep`, but packing resumes from what an earlier run of the same work left. The bytes are the
    /// same as if that run had gone on to the end.
    case resume
  }

  /// What `pack` does with work that is not finished.
  public var unfinished = Unfinished.remove

  public init(recipe: Recipe, compression: PackedSection.Compression, threads: Int, tool: String) {
    self.recipe = recipe
    self.compression = compression
    self.threads = threads
    self.tool = tool
  }

  /// Packs a checkpoint.
  ///
  /// - Parameters:
  ///   - checkpoint: what to pack.
  ///   - path: the packed file, replaced once everything is written.
  ///   - progress: receives the share done, 0 to 1, and the file or the section that was worked on last.
  /// - Returns: names of the checkpoint's tensors that no forward pass uses.
  /// - Throws: `OutputError` where the packed file would replace what it is made from or something that is no packed file;
  ///   `CheckpointError`, `ForeignSourceError`, `InputError`, `TokenizerError`, `PackingError`, `PackedFileError`, and what
  ///   `check` throws.
  @discardableResult
  public func pack(
    _ checkpoint: Checkpoint, to path: String, progress: @escaping (Double, String) -> Void = { _, _ in }
  ) throws -> [String] {
    let target = try PackingTarget(
      path: path, unfinished: unfinished, reading: checkpoint.paths + otherInputs)
    let used = Set(ModelLayout(checkpoint.config).sections.flatMap { $0.tensors.map(\.name) })
    let leftOut = checkpoint.tensorNames.filter { !used.contains($0) }
    let model = Model(
      config: checkpoint.config, configFiles: checkpoint.configFiles, tokenizerJSON: checkpoint.tokenizerJSON,
      origin: Manifest.Origin(
        source: checkpoint.name, tool: tool, license: checkpoint.license,
        demonstration: checkpoint.isDemonstration, demonstrationNote: checkpoint.demonstrationNote,
        leftOut: leftOut),
      checkpoint: checkpoint)
    try write(
      model, from: CheckpointWeights(checkpoint, importance: calibration?.importance), to: target,
      progress: progress)
    return leftOut
  }

  /// Writes a model of a published size with random weights.
  ///
  /// - Parameters:
  ///   - size: decides config and shapes.
  ///   - tokenizerJSON: the bytes of a `tokenizer.json`; nil for a tokeniser with single bytes as tokens.
  ///   - path: the packed file, replaced once everything is written.
  ///   - progress: as in `pack`.
  /// - Throws: `OutputError` as in `pack`; `TokenizerError`, `PackingError`, `PackedFileError`, and what `check` throws.
  public func synthesize(
    _ size: PublishedSize, tokenizerJSON: [UInt8]?, to path: String,
    progress: @escaping (Double, String) -> Void = { _, _ in }
  ) throws {
    let model = Model(
      config: try ModelConfig(configFiles: size.configFiles), configFiles: size.configFiles,
      tokenizerJSON: tokenizerJSON ?? Array(ByteTokenizer.json(firstSpecial: size.beginToken).utf8),
      origin: Manifest.Origin(
        source: "synthesize \(size.rawValue)", tool: tool, demonstration: true,
        demonstrationNote:
          "random weights, made to measure speed and memory: what this model answers has no meaning"
      ))
    try write(
      model, from: RandomWeights(),
      to: try PackingTarget(path: path, unfinished: .remove, reading: otherInputs), progress: progress)
  }

  /// Everything in a packed file besides the weights.
  private struct Model {
    var config: ModelConfig
    var configFiles: [String: String]
    var tokenizerJSON: [UInt8]
    /// The files it was made from are known when they are read.
    var origin: Manifest.Origin
    /// nil for a model that is made up.
    var checkpoint: Checkpoint?
  }

  private func write(
    _ model: Model, from source: any WeightSource, to target: PackingTarget,
    progress: @escaping (Double, String) -> Void
  ) throws {
    do {
      let tokenizer = try CompiledTokenizer.compile(
        tokenizerJSON: model.tokenizerJSON, tokenizerConfig: model.configFiles["tokenizer_config.json"],
        processor: model.config.processor, vocabularySize: model.config.language.vocabularySize)
      let importance = model.checkpoint == nil ? nil : calibration?.importance
      let plans = try ModelLayout(model.config).sections.map {
        try SectionPlan($0, recipe: recipe, importance: importance)
      }
      // Finds out whether everything is there before anything is read.
      for plan in plans { try plan.tensors.forEach(source.check) }

      let run = PackingRun(
        packer: self, plans: plans, tokenizer: tokenizer, tokenizerJSON: model.tokenizerJSON, source: source,
        target: target, progress: progress)
      var origin = model.origin
      if let checkpoint = model.checkpoint, let weights = source as? CheckpointWeights {
        origin.calibration = calibration?.origin
        origin.files = try run.readOnce(checkpoint, weights)
        origin.base = origin.files.contains(where: \.base) ? checkpoint.baseName : nil
      }
      try run.makeRest()
      try model.checkpoint?.checkSourcesAreUnchanged()
      try target.finish(origin, recipe, configFiles: model.configFiles)
    } catch {
      target.fail(error)
      throw error
    }
  }
}
