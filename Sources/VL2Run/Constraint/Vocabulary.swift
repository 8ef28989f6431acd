/// A tokeniser's ordinary tokens, sorted by their bytes, so that tokens that begin alike are checked
/// together. Tokens that stand for something other than text (marks, pictures, ends) are not among them.
package final class Vocabulary: Sendable {
  /// One above the largest id.
  package let count: Int

  private let ids: [Int32]
  /// The bytes of all tokens, one after the other, and where each begins.
  private let bytes: [UInt8]
  private let starts: [Int32]
  /// Bytes that each token has in common with the one before.
  private let shared: [UInt16]
  /// Bytes of the longest token.
  private let longest: Int
  /// What tokens are between two characters of a string.
  private let inStrings: StringTokens

  package init(_ tokenizer: Tokenizer) {
    let added = tokenizer.addedTokens
    var tokens: [(id: Int32, bytes: [UInt8])] = (0..<tokenizer.count).compactMap { id in
      let bytes = tokenizer.bytes(of: id)
      return bytes.isEmpty || bytes.count > 1024 || added.contains(id) ? nil : (Int32(id), bytes)
    }
    tokens.sort { $0.bytes.lexicographicallyPrecedes($1.bytes) }
    count = tokenizer.count
    ids = tokens.map(\.id)
    var bytes: [UInt8] = []
    var starts: [Int32] = []
    var shared: [UInt16] = []
    for (index, token) in tokens.enumerated() {
      starts.append(Int32(bytes.count))
      bytes += token.bytes
      let common = index == 0 ? 0 : zip(token.bytes, tokens[index - 1].bytes).prefix { $0 == $1 }.count
      shared.append(UInt16(common))
    }
    starts.append(Int32(bytes.count))
    longest = tokens.map(\.bytes.count).max() ?? 0
    self.bytes = bytes
    self.starts = starts
    self.shared = shared
    inStrings = StringTokens(tokens, count: tokenizer.count)
  }

  /// The tokens that may follow in a state.
  package func allowed(by machine: GrammarMachine, in state: GrammarMachine.State) -> TokenSet {
    if let place = machine.stringPlace(state) { return inStrings.allowed(by: machine, in: place) }
    var allowed = TokenSet(count: count)
    // states[n] is the state after n bytes of the token.
    var states = [GrammarMachine.State](repeating: state, count: longest + 1)
    // Where the token before went wrong. Tokens that share more bytes than this with it go wrong too.
    var wrong = Int.max
    for index in ids.indices {
      let common = Int(shared[index])
      if common > wrong { continue }
      wrong = .max
      let start = Int(starts[index])
      for offset in common..<Int(starts[index + 1]) - start {
        guard let next = machine.state(after: bytes[start + offset], states[offset]) else {
          wrong = offset
          break
        }
        states[offset + 1] = next
      }
      if wrong == .max { allowed.insert(Int(ids[index])) }
    }
    return allowed
  }

  /// Tokens that make up a text, each the longest that fits; nil where no token fits.
  func tokens(of text: [UInt8]) -> [Int]? {
    var tokens: [Int] = []
    var rest = text[...]
    while !rest.isEmpty {
      guard let (id, length) = longest(beginning: rest) else { return nil }
      tokens.append(id)
      rest = rest.dropFirst(length)
    }
    return tokens
  }

  /// The longest token that `text` begins with.
  private func longest(beginning text: ArraySlice<UInt8>) -> (id: Int, length: Int)? {
    var found: (id: Int, length: Int)?
    var range = ids.startIndex..<ids.endIndex
    for (depth, byte) in zip(0..., text) {
      // Keeps the tokens that go on with this byte, of those that agree so far. Shorter tokens sort first.
      let low = partition(range) { self.byte($0, depth) >= Int(byte) }
      range = low..<partition(low..<range.upperBound) { self.byte($0, depth) > Int(byte) }
      guard let first = range.first else { break }
      if Int(starts[first + 1] - starts[first]) == depth + 1 { found = (Int(ids[first]), depth + 1) }
    }
    return found
  }

  /// The byte of a token at `depth`; -1 beyond its end.
  private func byte(_ index: Int, _ depth: Int) -> Int {
    let place = Int(starts[index]) + depth
    return place < Int(starts[index + 1]) ? Int(bytes[place]) : -1
  }

  private func partition(_ range: Range<Int>, where isBeyond: (Int) -> Bool) -> Int {
    var (low, high) = (range.lowerBound, range.upperBound)
    while low < high {
      let middle = (low + high) / 2
      if isBeyond(middle) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
