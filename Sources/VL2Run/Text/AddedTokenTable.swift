import VL2Quant

/// The tokens that are found in the text before it is cut into words: leftmost first, and the longest where
/// several begin at one place. The Hugging Face library does the same with an Aho-Corasick automaton.
struct AddedTokenTable: Sendable {
  private struct Entry: Sendable {
    var id: Int
    /// Place of its text in the table of texts.
    var start: Int
    var length: Int
  }

  /// Entries of one pass, sorted by text.
  private struct Pass: Sendable {
    var entries: [Entry] = []
    /// Whether an entry begins with this byte.
    var begins = [Bool](repeating: false, count: 256)
  }

  private let text: AddedText
  private var all: [Entry] = []
  private var passes = [Pass(), Pass()]

  /// Throws `TokenizerError` where the table does not hold whole records, a token's id is not below `count` or its text not in the section.
  init(_ section: TokenizerSection, count: Int) throws {
    text = AddedText(section: section)
    let length = section.length(of: .addedTokens)
    guard length % TokenizerLayout.addedTokenLength == 0 else {
      throw TokenizerError.damagedSection(field: "addedTokens", problem: "does not hold whole records")
    }
    for record in 0..<length / TokenizerLayout.addedTokenLength {
      let entry = Entry(
        id: Int(section.number(.addedTokens, record * 4)),
        start: Int(section.number(.addedTokens, record * 4 + 2)),
        length: Int(section.number(.addedTokens, record * 4 + 3)))
      guard entry.id < count else {
        throw TokenizerError.damagedSection(
          field: "addedTokens[\(record)].id", problem: "\(entry.id) is not below \(count)")
      }
      guard (1...TokenizerLayout.longestAddedText).contains(entry.length),
        entry.start + entry.length <= section.length(of: .addedText)
      else {
        throw TokenizerError.damagedSection(
          field: "addedTokens[\(record)].text", problem: "does not lie in the table of texts")
      }
      all.append(entry)
      let flags = section.number(.addedTokens, record * 4 + 1)
      for (index, flag) in [TokenizerLayout.Pass.first, TokenizerLayout.Pass.second].enumerated()
      where flags & flag != 0 {
        passes[index].entries.append(entry)
        passes[index].begins[Int(text[entry.start])] = true
      }
    }
  }

  /// The id of the token with the text `name`. O(log tokens).
  func id(of name: [UInt8]) -> Int? {
    var range = all.startIndex..<all.endIndex
    for (depth, byte) in name.enumerated() { narrow(&range, all, depth, byte) }
    guard let entry = all[range].first, entry.length == name.count else { return nil }
    return entry.id
  }

  /// The ids of all tokens.
  var ids: Set<Int> { Set(all.map(\.id)) }

  /// Calls `body` with each added token in `text[range]` and its place, in order.
  func forEachToken(in text: [UInt8], _ range: Range<Int>, _ body: (_ id: Int, _ place: Range<Int>) -> Void) {
    // The second pass looks at what the first one leaves.
    var rest = range.lowerBound
    find(text, range, passes[0]) { id, place in
      find(text, rest..<place.lowerBound, passes[1], body)
      body(id, place)
      rest = place.upperBound
    }
    find(text, rest..<range.upperBound, passes[1], body)
  }

  private func find(
    _ bytes: [UInt8], _ range: Range<Int>, _ pass: Pass, _ body: (_ id: Int, _ place: Range<Int>) -> Void
  ) {
    var index = range.lowerBound
    while index < range.upperBound {
      if pass.begins[Int(bytes[index])], let entry = longest(bytes[index..<range.upperBound], pass.entries) {
        body(entry.id, index..<index + entry.length)
        index += entry.length
      } else {
        index += 1
      }
    }
  }

  /// The longest entry that `bytes` begin with.
  private func longest(_ bytes: ArraySlice<UInt8>, _ entries: [Entry]) -> Entry? {
    var range = entries.startIndex..<entries.endIndex
    var found: Entry?
    for (depth, byte) in zip(0..., bytes) {
      narrow(&range, entries, depth, byte)
      if range.isEmpty { break }
      // A text sorts before longer ones that begin with it.
      if entries[range.lowerBound].length == depth + 1 { found = entries[range.lowerBound] }
    }
    return found
  }

  /// `range` holds entries that agree in `depth` bytes; keeps those that have `byte` next.
  private func narrow(_ range: inout Range<Int>, _ entries: [Entry], _ depth: Int, _ byte: UInt8) {
    func firstIndex(in range: Range<Int>, where after: (Int) -> Bool) -> Int {
      var (low, high) = (range.lowerBound, range.upperBound)
      while low < high {
        let middle = (low + high) / 2
        let entry = entries[middle]
        if after(entry.length <= depth ? -1 : Int(text[entry.start + depth])) {
          high = middle
        } else {
          low = middle + 1
        }
      }
      return low
    }
    let low = firstIndex(in: range) { $0 >= Int(byte) }
    range = low..<firstIndex(in: low..<range.upperBound) { $0 > Int(byte) }
  }
}

/// The texts of added tokens, one after the other.
private struct AddedText: Sendable {
  var section: TokenizerSection
  subscript(offset: Int) -> UInt8 { section.bytes(.addedText, from: offset, to: offset + 1).first ?? 0 }
}
