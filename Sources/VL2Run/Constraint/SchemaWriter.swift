/// Guides one answer so that it becomes a text of a schema, complete before the tokens run out.
struct SchemaWriter {
  private let machine: GrammarMachine
  private let vocabulary: Vocabulary
  private let tokenizer: Tokenizer
  private let end: Int
  /// Tokens that may still be written.
  private var budget: Int
  private var state: GrammarMachine.State
  private var masks: [GrammarMachine.State: TokenSet] = [:]

  /// What is kept of a long answer: 4 MB for a vocabulary of 128,000 tokens.
  private static let mostMasks = 256
  private static let mostBytesOfStates = 8 << 20
  /// The tokens left on the shortest way to the end, once that is the only way.
  private var forced: ArraySlice<Int>?

  /// - Parameters:
  ///   - end: the token that ends an answer.
  ///   - budget: the most tokens to write.
  /// - Throws: `SchemaError` where no text of the schema fits.
  init(_ schema: JSONSchema, vocabulary: Vocabulary, tokenizer: Tokenizer, end: Int, budget: Int) throws {
    guard let machine = GrammarMachine(schema.grammar) else { throw SchemaError.endless(schema.name) }
    self.machine = machine
    self.vocabulary = vocabulary
    self.tokenizer = tokenizer
    self.end = end
    self.budget = budget
    state = machine.start
    guard let least = vocabulary.tokens(of: machine.completion(of: state)) else {
      throw SchemaError.unwritable(schema.name)
    }
    guard least.count <= budget else {
      throw SchemaError.budget(schema.name, tokens: budget, least: least.count)
    }
  }

  /// Whether the way to the end is fixed, so that nothing needs to be picked.
  var isForced: Bool { forced != nil }

  /// The next token; after the last one, the end token.
  ///
  /// - Parameter pick: picks one of the tokens that are allowed; not called once the rest is fixed.
  mutating func next(pick: (TokenSet) throws -> Int) rethrows -> Int {
    if forced == nil {
      if machine.isAtEnd(state) { return end }
      let allowed = mask()
      if allowed.first != nil {
        let token = try pick(allowed)
        if token == end { return end }
        if let next = state(after: token), let rest = vocabulary.tokens(of: machine.completion(of: next)),
          rest.count < budget
        {
          state = next
          budget -= 1
          return token
        }
      }
      finish()
    }
    return forced?.popFirst() ?? end
  }

  /// Makes the answer take the shortest way to its end.
  mutating func finish() {
    if forced == nil { forced = (vocabulary.tokens(of: machine.completion(of: state)) ?? [])[...] }
  }

  private func state(after token: Int) -> GrammarMachine.State? {
    var state = state
    for byte in tokenizer.bytes(of: token) {
      guard let next = machine.state(after: byte, state) else { return nil }
      state = next
    }
    return state
  }

  private mutating func mask() -> TokenSet {
    if let known = masks[state] { return known }
    if machine.byteCount > Self.mostBytesOfStates {
      state = machine.forget(except: state)
      masks = [:]
    }
    var allowed = vocabulary.allowed(by: machine, in: state)
    if machine.isWhole(state) { allowed.insert(end) }
    // Between the characters of a string, the set is found sooner than it is looked up for all their numbers.
    if machine.stringPlace(state) == nil {
      if masks.count == Self.mostMasks { masks = [:] }
      masks[state] = allowed
    }
    return allowed
  }
}
