/// Lays out a tokeniser section.
struct TokenizerSectionWriter {
  struct Added {
    var text: [UInt8]
    var id: UInt32
    var passes: UInt32
  }

  /// Bytes of each token by id.
  var tokens: [[UInt8]]
  var beginToken = TokenizerLayout.none
  var endToken = TokenizerLayout.none
  var imageToken = TokenizerLayout.none
  var splitters: [SplitterKind] = []
  var byteTokens: [UInt32] = []
  var merges: [TokenizerSource.Merge] = []
  var addedTokens: [Added] = []

  init(tokens: [[UInt8]]) { self.tokens = tokens }

  func section() throws -> [UInt8] {
    let (slots, longestProbe) = try mergeSlots()
    let sorted = addedTokens.sorted { $0.text.lexicographicallyPrecedes($1.text) }
    var addedRecords: [UInt32] = []
    var addedText: [UInt8] = []
    for token in sorted {
      addedRecords += [
        token.id, token.passes, try Self.number(addedText.count), try Self.number(token.text.count),
      ]
      addedText += token.text
    }
    var offsets: [UInt32] = [0]
    var bytes: [UInt8] = []
    for token in tokens {
      bytes += token
      offsets.append(try Self.number(bytes.count))
    }

    var section = [UInt8](repeating: 0, count: TokenizerLayout.headLength)
    section.replaceSubrange(0..<TokenizerLayout.magic.count, with: TokenizerLayout.magic)
    func put(_ value: UInt32, at offset: Int) {
      for (index, byte) in Self.littleEndian(value).enumerated() { section[offset + index] = byte }
    }
    for table in TokenizerLayout.Table.allCases {
      let content: [UInt8] =
        switch table {
        case .byteTokens: byteTokens.flatMap(Self.littleEndian)
        case .tokenOffsets: offsets.flatMap(Self.littleEndian)
        case .tokenBytes: bytes
        case .merges: slots.flatMap(Self.littleEndian)
        case .addedTokens: addedRecords.flatMap(Self.littleEndian)
        case .addedText: addedText
        }
      section.append(contentsOf: repeatElement(0, count: -section.count & 15))
      put(try Self.number(section.count), at: table.field)
      put(try Self.number(content.count), at: table.field + 4)
      section += content
    }
    put(TokenizerLayout.version, at: TokenizerLayout.Field.version)
    put(try Self.number(section.count), at: TokenizerLayout.Field.sectionLength)
    put(try Self.number(tokens.count), at: TokenizerLayout.Field.count)
    put(beginToken, at: TokenizerLayout.Field.beginToken)
    put(endToken, at: TokenizerLayout.Field.endToken)
    put(imageToken, at: TokenizerLayout.Field.imageToken)
    put(UInt32(longestProbe), at: TokenizerLayout.Field.longestProbe)
    put(UInt32(splitters.count), at: TokenizerLayout.Field.splitterCount)
    for (index, kind) in splitters.enumerated() {
      section[TokenizerLayout.Field.splitters + index] = kind.rawValue
    }
    return section
  }

  private static func number(_ value: Int) throws -> UInt32 {
    guard let number = UInt32(exactly: value) else {
      throw TokenizerError.malformed(part: "tokenizer.json", problem: "its tables need more than 4 GiB")
    }
    return number
  }

  private static func littleEndian(_ value: UInt32) -> [UInt8] {
    [
      UInt8(truncatingIfNeeded: value), UInt8(truncatingIfNeeded: value >> 8),
      UInt8(truncatingIfNeeded: value >> 16), UInt8(truncatingIfNeeded: value >> 24),
    ]
  }

  /// The hash table of merges, and the most slots that a look-up visits. Slots are filled in order of rank,
  /// so that the table is the same on every machine.
  private func mergeSlots() throws -> (slots: [UInt32], longestProbe: Int) {
    // If a pair occurs twice, the later rank counts, as in the library.
    var ranks: [UInt64: Int] = [:]
    for (rank, merge) in merges.enumerated() {
      ranks[UInt64(merge.left) << 32 | UInt64(merge.right)] = rank
    }
    var capacity = 16
    while capacity * 3 / 4 < ranks.count { capacity *= 2 }
    while true {
      var slots = [UInt32](repeating: TokenizerLayout.none, count: capacity * 4)
      var longest = 1
      for (rank, merge) in merges.enumerated()
      where ranks[UInt64(merge.left) << 32 | UInt64(merge.right)] == rank {
        var slot = TokenizerLayout.slot(
          left: UInt32(merge.left), right: UInt32(merge.right), mask: capacity - 1)
        var probes = 1
        while slots[slot * 4] != TokenizerLayout.none, probes <= TokenizerLayout.longestProbeLimit {
          slot = (slot + 1) & (capacity - 1)
          probes += 1
        }
        longest = max(longest, probes)
        if longest > TokenizerLayout.longestProbeLimit { break }
        slots[slot * 4] = UInt32(merge.left)
        slots[slot * 4 + 1] = UInt32(merge.right)
        slots[slot * 4 + 2] = UInt32(rank)
        slots[slot * 4 + 3] = UInt32(merge.merged)
      }
      if longest <= TokenizerLayout.longestProbeLimit { return (slots, longest) }
      // Trained pairs never come here. Pairs made to collide could ask for any amount of memory.
      guard capacity <= 64 * max(merges.count, 16) else {
        throw TokenizerError.notImplemented(part: "tokenizer.json: model.merges", value: "this choice of ids")
      }
      capacity *= 2
    }
  }
}
