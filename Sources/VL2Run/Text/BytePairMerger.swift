/// Merges the bytes of a piece of text into tokens: always the pair of lowest rank, the leftmost of equals.
///
/// Symbols form a linked list and pairs wait in a heap, so a piece of n bytes takes O(n log n). The buffers are
/// kept from piece to piece.
struct BytePairMerger {
  private static let noPair = UInt32.max
  private static let end = -1

  private let merges: MergeTable
  private let byteTokens: [UInt32]

  private var tokens: [UInt32] = []
  private var previous: [Int] = []
  private var next: [Int] = []
  /// Rank of the pair that a symbol begins, and what it becomes.
  private var ranks: [UInt32] = []
  private var merged: [UInt32] = []
  /// Rank in the upper half, place of the left symbol in the lower. An entry is stale if its rank is no
  /// longer that of its place.
  private var waiting = MinimumHeap()

  /// `byteTokens`: the token of each byte, `noPair` where there is none.
  init(merges: MergeTable, byteTokens: [UInt32]) {
    self.merges = merges
    self.byteTokens = byteTokens
  }

  /// Appends the tokens of `piece` to `output`. Bytes without token are left out.
  mutating func append(_ piece: ArraySlice<UInt8>, to output: inout [Int]) {
    tokens.removeAll(keepingCapacity: true)
    for byte in piece where byteTokens[Int(byte)] != Self.noPair { tokens.append(byteTokens[Int(byte)]) }
    let count = tokens.count
    guard count > 1 else {
      output.append(contentsOf: tokens.lazy.map(Int.init))
      return
    }
    previous.removeAll(keepingCapacity: true)
    next.removeAll(keepingCapacity: true)
    ranks.removeAll(keepingCapacity: true)
    merged.removeAll(keepingCapacity: true)
    for index in 0..<count {
      previous.append(index - 1)
      next.append(index + 1 < count ? index + 1 : Self.end)
      ranks.append(Self.noPair)
      merged.append(0)
    }
    for index in 0..<count - 1 { findPair(at: index) }
    while let (rank, index) = waiting.popFirst() {
      if ranks[index] == rank { mergePair(at: index) }
    }
    var index = 0
    while index != Self.end {
      output.append(Int(tokens[index]))
      index = next[index]
    }
  }

  /// Looks up the pair that the symbol at `index` begins.
  private mutating func findPair(at index: Int) {
    let right = next[index]
    guard right != Self.end, let merge = merges.merge(tokens[index], tokens[right]) else {
      ranks[index] = Self.noPair
      return
    }
    ranks[index] = merge.rank
    merged[index] = merge.merged
    waiting.insert(rank: merge.rank, index: index)
  }

  private mutating func mergePair(at index: Int) {
    let right = next[index]
    tokens[index] = merged[index]
    ranks[right] = Self.noPair
    next[index] = next[right]
    if next[index] != Self.end { previous[next[index]] = index }
    findPair(at: index)
    if index > 0 { findPair(at: previous[index]) }
  }
}

/// A binary heap of (rank, index), smallest first.
private struct MinimumHeap {
  private var keys: [UInt64] = []

  mutating func insert(rank: UInt32, index: Int) {
    let key = UInt64(rank) << 32 | UInt64(UInt32(truncatingIfNeeded: index))
    var hole = keys.count
    keys.append(key)
    while hole > 0 {
      let parent = (hole - 1) / 2
      if keys[parent] <= key { break }
      keys[hole] = keys[parent]
      hole = parent
    }
    keys[hole] = key
  }

  mutating func popFirst() -> (rank: UInt32, index: Int)? {
    guard let first = keys.first, let last = keys.popLast() else { return nil }
    if !keys.isEmpty {
      var hole = 0
      while hole * 2 + 1 < keys.count {
        var child = hole * 2 + 1
        if child + 1 < keys.count, keys[child + 1] < keys[child] { child += 1 }
        if last <= keys[child] { break }
        keys[hole] = keys[child]
        hole = child
      }
      keys[hole] = last
    }
    return (UInt32(truncatingIfNeeded: first >> 32), Int(UInt32(truncatingIfNeeded: first)))
  }
}
