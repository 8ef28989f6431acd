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
  /// Tokens that are decided on: a text that there is no way around.
  private var decided: ArraySlice<Int> = []
  /// The tokens left on the shortest way to the end, once that is the only way.
  private var forced: ArraySlice<Int>?
  private let picksEach: Bool

  /// What is kept of a long answer: of masks, 2 MB for a vocabulary of 128,000 tokens.
  private static let mostMasks = 128
  private static let mostBytesOfStates = 4 << 20
  /// The longest text, in bytes, that is decided on at once.
  private static let longestText = 1024

  /// - Parameters:
  ///   - end: the token that ends an answer.
  ///   - budget: the most tokens to write.
  ///   - picksEach: whether a token is picked also where there is one way only.
  /// - Throws: `SchemaError` where no text of the schema fits.
  init(
    _ schema: JSONSchema, vocabulary: Vocabulary, tokenizer: Tokenizer, end: Int, budget: Int, picksEach: Bool
  ) throws {
    guard let machine = GrammarMachine(schema.grammar) else { throw SchemaError.endless(schema.name) }
    self.machine = machine
    self.vocabulary = vocabulary
    self.tokenizer = tokenizer
    self.end = end
    self.budget = budget
    self.picksEach = picksEach
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
  /// - Parameter pick: picks one of the tokens that are allowed; not called where the text is decided on, so that several
  ///   tokens come before the next one is picked.
  mutating func next(pick: (TokenSet) throws -> Int) rethrows -> Int {
    if decided.isEmpty, forced == nil, !picksEach { decideOnOnlyWay() }
    if let token = decided.popFirst() { return token }
    if forced == nil {
      if machine.isAtEnd(state) { return end }
      let allowed = mask()
      if allowed.first != nil {
        let token = try pick(allowed)
        if token == end { return end }
        if let next = state(after: token), fits(next, after: 1) {
          state = next
          budget -= 1
          return token
        }
      }
      finish()
    }
    return forced?.popFirst() ?? end
  }

  /// Whether the text can be completed from `state` when so many tokens more are written.
  private func fits(_ state: GrammarMachine.State, after tokens: Int) -> Bool {
    let rest = machine.completion(of: state)
    // No token is empty.
    if rest.count <= budget - tokens { return true }
    return vocabulary.tokens(of: rest).map { $0.count <= budget - tokens } ?? false
  }

  /// Decides on the text that has to follow, where it takes two tokens at least.
  private mutating func decideOnOnlyWay() {
    var (bytes, end): ([UInt8], GrammarMachine.State) = ([], state)
    while bytes.count < Self.longestText, let byte = machine.onlyByte(after: end),
      let next = machine.state(after: byte, end)
    {
      bytes.append(byte)
      end = next
    }
    guard bytes.count > 1, let text = String(validating: bytes, as: UTF8.self) else { return }
    var tokens = tokenizer.encode(text, trusted: false)
    // The model's own last token may hold more than this text. It does not where a blank may follow a colon or a comma:
    // no token goes on after a punctuation mark with a blank.
    let endsInToken =
      !machine.isAtEnd(end)
      && !([UInt8(ascii: ":"), UInt8(ascii: ",")].contains(bytes.last)
        && machine.state(after: UInt8(ascii: " "), end) != nil)
    if endsInToken { tokens.removeLast() }
    guard tokens.count > 1, tokens.count < budget else { return }
    end = state
    for byte in tokens.flatMap(tokenizer.bytes) {
      guard let next = machine.state(after: byte, end) else { return }
      end = next
    }
    guard fits(end, after: tokens.count) else { return }
    decided = tokens[...]
    state = end
    budget -= tokens.count
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
