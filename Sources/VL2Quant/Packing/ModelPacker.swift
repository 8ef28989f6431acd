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

  /// The fraction of the work that hashing the source is taken to be.
  private static let hashing = 0.1

  /// Raw bytes of sections in progress or waiting to be written.
  private static let budget = 256 << 20

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
  ///   - progress: receives the share done, 0 to 1, and the file that was hashed or the section that was written last.
  /// - Returns: names of the checkpoint's tensors that no forward pass uses.
  /// - Throws: `OutputError` where the packed file would replace what it is made from or something that is no packed file;
  ///   `CheckpointError`, `InputError`, `TokenizerError`, `PackingError`, `PackedFileError`, and what `check` throws.
  @discardableResult
  public func pack(
    _ checkpoint: Checkpoint, to path: String, progress: (Double, String) -> Void = { _, _ in }
  ) throws -> [String] {
    let target = try PackingTarget(
      path: path, unfinished: unfinished, reading: checkpoint.paths + otherInputs)
    let layout = ModelLayout(checkpoint.config)
    let used = Set(layout.sections.flatMap { $0.tensors.map(\.name) })
    let leftOut = checkpoint.tensorNames.filter { !used.contains($0) }
    let files = try checkpoint.sourceFiles(threads: threads, check: check) {
      progress($0 * Self.hashing, $1)
    }
    let origin = Manifest.Origin(
      source: checkpoint.name, base: files.contains(where: \.base) ? checkpoint.baseName : nil, files: files,
      tool: tool, license: checkpoint.license,
      demonstration: checkpoint.isDemonstration, demonstrationNote: checkpoint.demonstrationNote,
      leftOut: leftOut)
    let model = Model(
      config: checkpoint.config, configFiles: checkpoint.configFiles, tokenizerJSON: checkpoint.tokenizerJSON,
      origin: origin, job: PackingJob(tool: tool, compression: compression, recipe: recipe, files: files))
    try write(
      model, from: CheckpointWeights(checkpoint), to: target, progress: progress,
      beforeFinish: checkpoint.checkSourcesAreUnchanged)
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
    progress: (Double, String) -> Void = { _, _ in }
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
    var origin: Manifest.Origin
    /// For resuming the work later; nil if that is not worth it.
    var job: PackingJob?
  }

  private func write(
    _ model: Model, from source: any WeightSource, to target: PackingTarget,
    progress: (Double, String) -> Void,
    beforeFinish: () throws -> Void = {}
  ) throws {
    do {
      let tokenizer = try CompiledTokenizer.compile(
        tokenizerJSON: model.tokenizerJSON, tokenizerConfig: model.configFiles["tokenizer_config.json"],
        processor: model.config.processor, vocabularySize: model.config.language.vocabularySize)
      let plans = try ModelLayout(model.config).sections.map { try SectionPlan($0, recipe: recipe) }
      // Finds out whether everything is there before hours of work begin.
      for plan in plans { try plan.tensors.forEach(source.check) }

      let maker = SectionMaker(source: source, threads: threads, check: check)
      try target.begin(model.job, plans: plans)
      let rest = plans[target.sections...]
      let total = Double(max(1, plans.reduce(0) { $0 + $1.weights }))
      let before = model.origin.files.isEmpty ? 0 : Self.hashing
      var done = plans[..<target.sections].reduce(0) { $0 + $1.weights }
      let work = OrderedWork(threads: threads, budget: Self.budget)
      try work.run(costs: rest.map(\.length)) { index in
        try check()
        let plan = rest[rest.startIndex + index]
        switch plan.name {
        case ModelLayout.tokenizer:
          return PackedSection(name: plan.name, tensors: [], bytes: tokenizer, compression: compression)
        case ModelLayout.tokenizerSource:
          return PackedSection(
            name: plan.name, tensors: [], bytes: model.tokenizerJSON, compression: .whereUseful)
        default:
          let (tensors, bytes) = try maker.make(plan)
          // Not compressed, because a runtime with little memory reads the embedding a row at a time.
          let compression = plan.name == "embedding" ? PackedSection.Compression.never : compression
          return PackedSection(name: plan.name, tensors: tensors, bytes: bytes, compression: compression)
        }
      } finish: { index, section in
        try target.append(section)
        let plan = rest[rest.startIndex + index]
        done += plan.weights
        progress(before + (1 - before) * Double(done) / total, plan.name)
      }
      try beforeFinish()
      try target.finish(model.origin, recipe, configFiles: model.configFiles)
    } catch {
      target.fail(error)
      throw error
    }
  }
}
