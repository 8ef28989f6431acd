import Glibc
import VL2Base
import VL2Quant
import VL2Run

/// How close a model's choice of tokens is to that of a reference, for example a 4-bit packing to a bfloat16
/// packing of the same checkpoint.
///
/// The reference writes an answer greedily. At each of its tokens, both models say how likely every token of
/// the vocabulary is, given the same picture, question and answer so far.
package final class ModelComparison {
  /// What both models answered to one question about one picture.
  package struct Answer: Sendable {
    package var picture: String
    package var question: String
    /// Positions at which the models were compared: the reference's tokens, including the one that ends the
    /// answer.
    package var tokens: Int
    /// Positions at which both models hold the same token to be the likeliest.
    package var agreeing: Int
    /// Kullback-Leibler divergence of the model from the reference, KL(reference || model), in nats, summed
    /// over the positions.
    package var divergence: Double
    /// The largest divergence at one position.
    package var largestDivergence: Double
    /// The answer that each model writes greedily.
    package var referenceText: String
    package var modelText: String
  }

  private let model: Model
  private let reference: Model

  /// - Throws: `ComparisonError` if the models do not have the same tokens, or cut pictures otherwise.
  package init(_ model: Model, reference: Model) throws {
    try Self.check(model, reference)
    guard model.config.processor == reference.config.processor else {
      throw ComparisonError(model, reference, "ways to cut pictures")
    }
    self.model = model
    self.reference = reference
  }

  /// - Throws: `ComparisonError` if the models do not have the same tokens.
  static func check(_ model: Model, _ reference: Model) throws {
    func tokenizer(_ model: Model) -> String? {
      model.file.manifest.sections.first { $0.name == ModelLayout.tokenizer }?.sha256
    }
    guard tokenizer(model) == tokenizer(reference) else {
      throw ComparisonError(model, reference, "tokenisers")
    }
    guard model.config.language.vocabularySize == reference.config.language.vocabularySize else {
      throw ComparisonError(model, reference, "vocabularies")
    }
  }

  /// Asks both models.
  ///
  /// - Parameters:
  ///   - name: the picture's name, for the result.
  ///   - maxTokens: of each answer, at least 1.
  /// - Throws: `PackedFileError` if weights cannot be read, `PromptError` if the prompt does not fit.
  package func ask(_ question: String, about picture: Picture, name: String, maxTokens: Int) throws -> Answer
  {
    let turns = [Turn.user(question, pictures: [picture])]
    let mine = try ReadPrompt(model, turns, maxTokens: maxTokens)
    let theirs = try ReadPrompt(reference, turns, maxTokens: maxTokens)
    let own = try mine.answer(maxTokens: maxTokens)
    var answer = Answer(
      picture: name, question: question, tokens: 0, agreeing: 0, divergence: 0, largestDivergence: 0,
      referenceText: "", modelText: mine.text(own))

    // From here on the model reads what the reference writes.
    mine.rewind()
    var written: [Int] = []
    let room = theirs.room(maxTokens)
    while written.count < room {
      let next = theirs.likeliest
      let divergence = Self.divergence(theirs.logits, mine.logits)
      answer.tokens += 1
      answer.agreeing += mine.likeliest == next ? 1 : 0
      answer.divergence += divergence
      answer.largestDivergence = max(answer.largestDivergence, divergence)
      if reference.endsAnswer(next) { break }
      written.append(next)
      if written.count == room { break }
      try theirs.append(next)
      try mine.append(next)
    }
    answer.referenceText = theirs.text(written)
    return answer
  }

  /// KL(p || q) in nats, of the distributions that two rows of logits stand for. Both rows have the same
  /// length.
  package static func divergence(_ p: [Float], _ q: [Float]) -> Double {
    p.withUnsafeBufferPointer { p in
      q.withUnsafeBufferPointer { q in LogitRow(p).divergence(from: LogitRow(q)) }
    }
  }
}

/// Two models that cannot be compared.
package struct ComparisonError: ReportableError {
  package var kind: ErrorKind { .badData }
  package var problem: String
  package var hint: Hint { "give two packings of one checkpoint, or of models made from one" }

  init(_ model: Model, _ reference: Model, _ others: String) {
    problem = "\(model.file.path) and \(reference.file.path) have other \(others) and cannot be compared"
  }
}

/// A model that has read a prompt, with its logits for what comes next.
private final class ReadPrompt {
  private let model: Model
  private let reading: Reading
  private let first: [Float]
  /// Logits of what follows the tokens so far, [vocabulary].
  private(set) var logits: [Float]
  private var written: [Int] = []

  init(_ model: Model, _ turns: [Turn], maxTokens: Int) throws {
    self.model = model
    try model.beginRequest()
    reading = try Reading(turns, room: .init(maxTokens: maxTokens), model: model)
    first = Self.lastRow(try reading.logits())
    logits = first
  }

  /// The most tokens that an answer can have.
  func room(_ maxTokens: Int) -> Int { reading.room(maxTokens) }

  var likeliest: Int {
    // The lowest id among equals, as the decoder picks.
    var best = 0
    for index in logits.indices where logits[index] > logits[best] { best = index }
    return best
  }

  func append(_ token: Int) throws {
    written.append(token)
    logits = Self.lastRow(try reading.logits(after: written))
  }

  /// Forgets all but the prompt.
  func rewind() {
    reading.rewind()
    written = []
    logits = first
  }

  /// The tokens that the model writes greedily.
  func answer(maxTokens: Int) throws -> [Int] {
    var tokens: [Int] = []
    while tokens.count < room(maxTokens) {
      let next = likeliest
      if model.endsAnswer(next) { break }
      tokens.append(next)
      if tokens.count < room(maxTokens) { try append(next) }
    }
    return tokens
  }

  func text(_ tokens: [Int]) -> String { model.tokenizer.decode(tokens) }

  private static func lastRow(_ rows: Rows) -> [Float] {
    Array(UnsafeBufferPointer(start: rows[rows.count - 1], count: rows.columns))
  }
}
