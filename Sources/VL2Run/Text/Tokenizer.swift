import Synchronization
import VL2Quant

/// Text to token ids and back, from the tokeniser section of a packed file.
package struct Tokenizer: Sendable {
  /// One above the largest id.
  package let count: Int
  /// The token that holds the places of pictures in a prompt.
  package let imageToken: Int
  /// The token that begins a conversation, where the tokeniser's configuration names it.
  package let beginToken: Int?
  /// The token that ends an answer, where the tokeniser's configuration names it.
  package let endToken: Int?

  private let section: TokenizerSection
  private let splitter: TextSplitter
  private let added: AddedTokenTable
  private let merges: MergeTable
  private let byteTokens: [UInt32]
  private let work = TokenizerWork()

  /// Uses the section in place: opening reads the head, the byte tokens and the added tokens only. The memory
  /// must outlive the tokeniser and must not change.
  ///
  /// - Throws: `TokenizerError` where the section contradicts itself. Damage in the tables that opening does
  ///   not read gives wrong tokens, never a crash; the packed file's checksums find it.
  package init(section memory: UnsafeRawBufferPointer) throws {
    let section = try TokenizerSection(memory)
    let count = Int(section.head(TokenizerLayout.Field.count))
    guard section.length(of: .tokenOffsets) == (count + 1) * 4 else {
      throw TokenizerError.damagedSection(
        field: "tokenOffsets", problem: "does not hold one offset for each of \(count) tokens")
    }
    guard section.length(of: .byteTokens) == 1024 else {
      throw TokenizerError.damagedSection(field: "byteTokens", problem: "does not hold 256 ids")
    }
    byteTokens = (0..<256).map { section.number(.byteTokens, $0) }
    guard byteTokens.allSatisfy({ $0 == TokenizerLayout.none || $0 < count }) else {
      throw TokenizerError.damagedSection(
        field: "byteTokens", problem: "holds an id that is not below \(count)")
    }
    let steps = Int(section.head(TokenizerLayout.Field.splitterCount))
    guard steps <= TokenizerLayout.mostSplitters else {
      throw TokenizerError.damagedSection(
        field: "splitterCount", problem: "\(steps) is above \(TokenizerLayout.mostSplitters)")
    }
    splitter = TextSplitter(
      steps: try (0..<steps).map { step in
        let number = section.headByte(TokenizerLayout.Field.splitters + step)
        guard let kind = SplitterKind(rawValue: number) else {
          throw TokenizerError.damagedSection(
            field: "splitters[\(step)]", problem: "\(number) is no splitter")
        }
        return kind
      })
    func token(_ field: Int, _ name: String) throws -> Int? {
      let id = section.head(field)
      guard id == TokenizerLayout.none || id < count else {
        throw TokenizerError.damagedSection(field: name, problem: "\(id) is not below \(count)")
      }
      return id == TokenizerLayout.none ? nil : Int(id)
    }
    beginToken = try token(TokenizerLayout.Field.beginToken, "beginToken")
    endToken = try token(TokenizerLayout.Field.endToken, "endToken")
    guard let image = try token(TokenizerLayout.Field.imageToken, "imageToken") else {
      throw TokenizerError.damagedSection(field: "imageToken", problem: "is missing")
    }
    added = try AddedTokenTable(section, count: count)
    merges = try MergeTable(section, count: count)
    guard added.ids.contains(image) else {
      throw TokenizerError.damagedSection(field: "imageToken", problem: "\(image) is not an added token")
    }
    self.section = section
    self.count = count
    imageToken = image
  }

  /// The ids of a text, exactly as the Hugging Face library gives them with `add_special_tokens=False`. O(n log n) in
  /// the length of the text.
  ///
  /// - Parameter trusted: whether added tokens in the text are recognised; without it the ids are those that the
  ///   library gives for the same file without its `added_tokens`.
  package func encode(_ text: String, trusted: Bool = true) -> [Int] {
    let text = Array(text.utf8)
    return encode(text, trusted: trusted ? [text.indices] : [])
  }

  /// The ids of parts of a text, laid end to end; pictures count as nothing.
  func encode(_ parts: [Turn.Part]) -> [Int] {
    var text: [UInt8] = []
    var trusted: [Range<Int>] = []
    for part in parts {
      let start = text.count
      switch part {
      case .text(let piece): text += piece.utf8
      case .trusted(let piece):
        text += piece.utf8
        if trusted.last?.upperBound == start {
          trusted[trusted.count - 1] = trusted[trusted.count - 1].lowerBound..<text.count
        } else {
          trusted.append(start..<text.count)
        }
      case .picture: break
      }
    }
    return encode(text, trusted: trusted)
  }

  /// The ids of a text of valid UTF-8. Added tokens are recognised where they lie in one of the `trusted` ranges.
  private func encode(_ text: [UInt8], trusted: [Range<Int>]) -> [Int] {
    work.encodedBytes.wrappingAdd(text.count, ordering: .relaxed)
    var output: [Int] = []
    var merger = BytePairMerger(merges: merges, byteTokens: byteTokens)
    var done = 0
    func encodeText(to end: Int) {
      if done < end {
        splitter.forEachPiece(of: text, in: done..<end) { merger.append(text[$0], to: &output) }
      }
    }
    for range in trusted {
      added.forEachToken(in: text, range) { id, place in
        encodeText(to: place.lowerBound)
        output.append(id)
        done = place.upperBound
      }
    }
    encodeText(to: text.count)
    return output
  }

  /// Bytes of text that were turned into ids so far, by all copies of this tokeniser.
  package var encodedBytes: Int { work.encodedBytes.load(ordering: .relaxed) }

  /// The text of tokens, special ones included; bytes that are not UTF-8 become U+FFFD. Unknown ids are left
  /// out.
  package func decode(_ tokens: some Sequence<Int>) -> String {
    var stream = TextStream()
    let text = stream.append(tokens.flatMap(bytes(of:)))
    return text + stream.finish()
  }

  /// The bytes of one token; empty for an id that no token has.
  package func bytes(of token: Int) -> [UInt8] {
    guard token >= 0, token < count else { return [] }
    let start = Int(section.number(.tokenOffsets, token))
    let end = Int(section.number(.tokenOffsets, token + 1))
    return Array(section.bytes(.tokenBytes, from: start, to: end))
  }

  /// The ids of all added tokens, special ones among them.
  package var addedTokens: Set<Int> { added.ids }

  /// The id of an added token by its text, for example `<|grounding|>`; nil where there is no such token.
  package func id(of special: String) -> Int? { added.id(of: Array(special.utf8)) }
}

/// What a tokeniser did.
private final class TokenizerWork: Sendable {
  let encodedBytes = Atomic<Int>(0)
}
