import VL2Base

/// How large a packed file becomes, before anything is packed.
package struct PackedSize {
  private let checkpoint: Checkpoint
  private let layout: ModelLayout
  private let tokenizer: Int
  /// Bytes of the manifest but for its sections and recipe, at most.
  private let origin: Int

  /// - Throws: `TokenizerError` for a tokeniser that cannot be packed.
  package init(_ checkpoint: Checkpoint) throws {
    self.checkpoint = checkpoint
    layout = ModelLayout(checkpoint.config)
    tokenizer = try CompiledTokenizer.compile(
      tokenizerJSON: checkpoint.tokenizerJSON,
      tokenizerConfig: checkpoint.configFiles["tokenizer_config.json"],
      processor: checkpoint.config.processor,
      vocabularySize: checkpoint.config.language.vocabularySize
    ).count
    func written(_ text: String?) -> Int { text.map { JSONText.quoted($0).utf8.count } ?? 0 }
    origin =
      Self.rest + checkpoint.configFiles.values.reduce(0) { $0 + written($1) } + written(checkpoint.license)
      + written(checkpoint.demonstrationNote)
      + checkpoint.paths.reduce(0) { $0 + written($1) + Self.perEntry }
      + checkpoint.tensorNames.reduce(0) { $0 + written($1) }
  }

  /// Numbers, hashes and keys of a section, a tensor or a source file, and of everything else together.
  private static let (perEntry, rest) = (400, 16384)

  /// The most bytes that a file with this recipe has, whose sections are stored as they are: the tokeniser's text, which
  /// gets smaller, is counted whole, and the manifest by an estimate from above.
  ///
  /// - Throws: `PackingError` for a recipe that does not go with the model.
  package func atMost(_ recipe: Recipe) throws -> Int {
    let plans = try layout.sections.map { try SectionPlan($0, recipe: recipe) }
    let texts = [
      ModelLayout.tokenizer: tokenizer, ModelLayout.tokenizerSource: checkpoint.tokenizerJSON.count,
    ]
    var end = FileHead.length
    for plan in plans { end = PackedFileWriter.offset(after: end) + (texts[plan.name] ?? plan.length) }
    let tensors = plans.reduce(0) { sum, plan in
      plan.tensors.reduce(sum + plan.name.utf8.count + Self.perEntry) {
        $0 + $1.name.utf8.count + Self.perEntry
      }
    }
    return end + origin + tensors + recipe.rules.reduce(0) { $0 + $1.encoded.utf8.count + 1 }
  }
}
