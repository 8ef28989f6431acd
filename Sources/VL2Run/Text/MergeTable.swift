import VL2Quant

/// Which two tokens merge, at which rank, into which token. A hash table read in place.
struct MergeTable: Sendable {
  struct Merge {
    /// Lower ranks merge first.
    var rank: UInt32
    var merged: UInt32
  }

  private let section: TokenizerSection
  private let mask: Int
  private let longestProbe: Int
  private let count: Int

  /// Throws `TokenizerError` where the table's size is not a power of two of slots, or probing takes too long.
  init(_ section: TokenizerSection, count: Int) throws {
    let length = section.length(of: .merges)
    let slots = length / TokenizerLayout.mergeSlotLength
    guard length % TokenizerLayout.mergeSlotLength == 0, slots > 0, slots & (slots - 1) == 0 else {
      throw TokenizerError.damagedSection(field: "merges", problem: "does not hold a power of two of slots")
    }
    let longestProbe = Int(section.head(TokenizerLayout.Field.longestProbe))
    guard longestProbe <= TokenizerLayout.longestProbeLimit else {
      throw TokenizerError.damagedSection(
        field: "longestProbe", problem: "\(longestProbe) is above \(TokenizerLayout.longestProbeLimit)")
    }
    self.section = section
    self.longestProbe = longestProbe
    self.count = count
    mask = slots - 1
  }

  /// The merge of `left` and `right`; nil where they do not merge. O(1).
  func merge(_ left: UInt32, _ right: UInt32) -> Merge? {
    var slot = TokenizerLayout.slot(left: left, right: right, mask: mask)
    for _ in 0..<longestProbe {
      let found = section.number(.merges, slot * 4)
      if found == TokenizerLayout.none { return nil }
      if found == left, section.number(.merges, slot * 4 + 1) == right {
        let merge = Merge(
          rank: section.number(.merges, slot * 4 + 2), merged: section.number(.merges, slot * 4 + 3))
        // A damaged slot must not lead outside the vocabulary.
        return merge.rank < .max && merge.merged < count ? merge : nil
      }
      slot = (slot + 1) & mask
    }
    return nil
  }
}
