/// What the positions of a conversation hold.
package struct ConversationContent {
  package struct Place: Equatable {
    var positions: Range<Int>
    var picture: ReadingCache.PictureKey
  }

  package var tokens: [Int] = []
  /// Whether each position is an answer's (see `RowKind`).
  package var areAnswers: [Bool] = []
  /// The pictures, in order; empty where nothing is kept.
  package var places: [Place] = []

  package init() {}

  /// - Parameter pictures: one for each of the prompt's pictures, or none.
  package init(_ prompt: Prompt, pictures: [ReadingCache.PictureKey], written: [Int]) {
    tokens = prompt.tokens + written
    areAnswers = .init(repeating: false, count: tokens.count)
    for position in prompt.answers.joined() { areAnswers[position] = true }
    for position in prompt.tokens.count..<tokens.count { areAnswers[position] = true }
    places = zip(prompt.pictures, pictures).map { Place(positions: $0, picture: $1) }
  }
}

/// A conversation that went through the decoder: keys and values, and what they were computed from.
package final class KeptConversation {
  package let cache: KeyValueCache
  package let owner: ReadingCache.Owner
  /// Grows with each use.
  var use = 0
  var worth: ReadingCache.Worth { .init(isCamera: owner.isCamera, use: use) }
  private(set) var content = ConversationContent()

  init(_ cache: KeyValueCache, owner: ReadingCache.Owner) {
    self.cache = cache
    self.owner = owner
  }

  /// Positions that are there.
  package var length: Int { cache.length }
  package var capacity: Int { cache.capacity }
  var byteCount: Int { cache.usedBytes }

  /// How many positions, from the first on, hold the same as `other`.
  func common(with other: ConversationContent) -> Int {
    var count = min(length, other.tokens.count)
    count =
      (0..<count).first {
        content.tokens[$0] != other.tokens[$0] || content.areAnswers[$0] != other.areAnswers[$0]
      } ?? count
    // The places of all pictures look alike.
    for index in 0..<max(content.places.count, other.places.count) {
      let mine = index < content.places.count ? content.places[index] : nil
      let new = index < other.places.count ? other.places[index] : nil
      if mine != new {
        for place in [mine, new] { count = min(count, place?.positions.lowerBound ?? count) }
        break
      }
    }
    return count
  }

  package func truncate(to length: Int) {
    cache.truncate(to: length)
    content.tokens.removeSubrange(length...)
    content.areAnswers.removeSubrange(length...)
    // A picture of which a part is left is compared as a whole.
    content.places.removeAll { $0.positions.lowerBound >= length }
  }

  /// Records that the decoder went through more positions of `other`, whose beginning this is.
  package func extend(with other: ConversationContent) {
    content.tokens += other.tokens[content.tokens.count..<length]
    content.areAnswers += other.areAnswers[content.areAnswers.count..<length]
    content.places = other.places.filter { $0.positions.lowerBound < length }
  }

  /// Records a token that was written.
  package func append(_ token: Int) {
    content.tokens.append(token)
    content.areAnswers.append(true)
  }

  func copy(_ length: Int, owner: ReadingCache.Owner, decoder: Decoder, positions: Int) throws
    -> KeptConversation
  {
    let copy = KeptConversation(
      try decoder.copy(cache, positions: length, capacity: positions), owner: owner)
    copy.extend(with: content)
    return copy
  }
}
