import VL2Base

/// What was read and looked at before, for all callers: keys and values of conversations, and the rows of pictures.
///
/// Conversations are told apart by ids, by what kind of row each position is, and by the pictures in their places,
/// because the places of all pictures hold one and the same id. What was used last stays longest; what cameras left
/// goes before what people left, but for the tiles that a camera's next picture is compared with.
package final class ReadingCache {
  /// Who a conversation belongs to, and how long it stays.
  package struct Owner: Sendable, Equatable {
    /// The session's number; nil for a question that belongs to none.
    package var session: Int?
    package var isCamera = false

    package init(session: Int? = nil, isCamera: Bool = false) {
      self.session = session
      self.isCamera = isCamera
    }
  }

  /// A picture as it was cut into tiles.
  package struct PictureKey: Hashable {
    var picture: PictureIdentity
    var columns, rows: Int
    /// How much tiles may differ from those that were encoded; nil where they are equal. What was read with one is never
    /// taken for what is wanted with another.
    var largestChange: Double?

    package init(_ picture: Picture, _ grid: TileGrid, reuse: TileReuse = .off) {
      self.picture = picture.identity
      (columns, rows) = (grid.columns, grid.rows)
      largestChange = reuse.largestChange
    }
  }

  /// What goes first is worth least: what cameras left, then tiles that their next pictures are compared with, then what
  /// people left; of each what was used longest ago.
  struct Worth: Comparable {
    var isCamera: Bool
    var hasTiles = false
    /// Grows with each use.
    var use: Int

    private var rank: Int { isCamera ? (hasTiles ? 1 : 0) : 2 }

    static func < (one: Worth, other: Worth) -> Bool {
      one.rank == other.rank ? one.use < other.use : one.rank < other.rank
    }
  }

  /// What was looked for, and whether something of it was there.
  package struct Lookups: Sendable {
    package var (conversationHits, conversationMisses) = (0, 0)
    package var (pictureHits, pictureMisses) = (0, 0)
  }

  private struct KeptPicture {
    var rows: EncodedPicture
    /// What the next picture's tiles are compared with.
    var tiles: KeptTiles?
    var worth: Worth
    var byteCount: Int { rows.byteCount + (tiles?.byteCount ?? 0) }
  }

  /// The most bytes to keep; 0 to keep nothing.
  package let limit: Int
  private var conversations: [KeptConversation] = []
  private var pictures: [PictureKey: KeptPicture] = [:]
  private var uses = 0
  package private(set) var lookups = Lookups()
  private let bytes: KeptBytes

  /// - Parameter bytes: is told what is kept.
  package init(limit: Int, bytes: KeptBytes = KeptBytes()) {
    self.limit = limit
    self.bytes = bytes
  }

  package var keeps: Bool { limit > 0 }

  /// Bytes of everything that is kept.
  package var byteCount: Int {
    conversations.reduce(0) { $0 + $1.byteCount } + pictures.values.reduce(0) { $0 + $1.byteCount }
  }

  package var keptCounts: (conversations: Int, pictures: Int) { (conversations.count, pictures.count) }

  // MARK: conversations

  /// The fewest positions that are worth being copied.
  private static let fewestPositions = 32

  /// Takes out the conversation that begins most like `content`, or makes a new one.
  ///
  /// A conversation that goes on, or that is the session's own, is taken as it is. Of one that is left at some place
  /// the beginning is copied, so that whoever it belongs to finds it again.
  ///
  /// - Parameter positions: positions that the conversation will need.
  /// - Returns: a conversation that holds nothing but a beginning of `content`, and at least one position less.
  /// - Throws: `MemoryError` where the system refuses memory.
  package func take(
    _ content: ConversationContent, owner: Owner, decoder: Decoder, positions: Int
  ) throws -> KeptConversation {
    let found = conversations.map { (kept: $0, common: $0.common(with: content)) }.max {
      ($0.common, $0.kept.use) < ($1.common, $1.kept.use)
    }
    guard let (kept, common) = found, common > 0 else {
      lookups.conversationMisses += 1
      return KeptConversation(try decoder.makeCache(positions: positions), owner: owner)
    }
    // The logits after the last position are wanted, so that it has to be computed.
    let length = min(common, content.tokens.count - 1)
    let isOwn = owner.session != nil && kept.owner.session == owner.session
    let goesOn = common == kept.length && kept.owner == owner
    if isOwn || goesOn, kept.capacity >= content.tokens.count {
      conversations.removeAll { $0 === kept }
      update()
      kept.truncate(to: length)
      lookups.conversationHits += 1
      return kept
    }
    guard length >= Self.fewestPositions else {
      lookups.conversationMisses += 1
      return KeptConversation(try decoder.makeCache(positions: positions), owner: owner)
    }
    kept.use = nextUse()
    lookups.conversationHits += 1
    return try kept.copy(length, owner: owner, decoder: decoder, positions: positions)
  }

  /// Puts a conversation back.
  package func keep(_ conversation: KeptConversation) {
    guard keeps, conversation.length > 0 else { return }
    conversation.use = nextUse()
    // A session has one conversation; what is a beginning of another one is of no use.
    conversations.removeAll { other in
      other.owner == conversation.owner
        && (other.owner.session != nil || conversation.common(with: other.content) == other.length)
    }
    conversations.append(conversation)
    trim()
  }

  /// Forgets what a camera was told about pictures that it has left.
  package func leave(for content: ConversationContent) {
    conversations.removeAll { kept in
      kept.owner == Owner(isCamera: true) && !kept.content.places.isEmpty
        && !kept.content.places.contains { old in content.places.contains { $0.picture == old.picture } }
    }
    update()
  }

  /// Forgets what belongs to a session.
  package func forget(session: Int) {
    conversations.removeAll { $0.owner.session == session }
    update()
  }

  // MARK: pictures

  package func rows(of picture: PictureKey) -> EncodedPicture? {
    guard pictures[picture] != nil else {
      lookups.pictureMisses += 1
      return nil
    }
    lookups.pictureHits += 1
    pictures[picture]?.worth.use = nextUse()
    return pictures[picture]?.rows
  }

  /// - Parameter tiles: what tiles of the next picture with the same grid are to be compared with; nil where they are not.
  package func keep(
    _ rows: EncodedPicture, of picture: PictureKey, isCamera: Bool, tiles: KeptTiles? = nil
  ) {
    guard keeps else { return }
    if let tiles { forgetTiles(tiles.grid) }
    pictures[picture] = KeptPicture(
      rows: rows, tiles: tiles,
      worth: Worth(isCamera: isCamera, hasTiles: tiles != nil, use: nextUse()))
    trim()
  }

  /// The tiles of the last picture with this grid that was kept with its tiles.
  package func tiles(_ grid: TileGrid) -> KeptTiles? {
    pictures.values.first { $0.tiles?.grid == grid }?.tiles
  }

  /// Another picture takes their place. A camera does not come back to the picture itself either.
  private func forgetTiles(_ grid: TileGrid) {
    for (key, kept) in pictures where kept.tiles?.grid == grid {
      if kept.worth.isCamera {
        pictures[key] = nil
      } else {
        pictures[key]?.tiles = nil
        pictures[key]?.worth.hasTiles = false
      }
    }
  }

  // MARK: room

  /// Drops what is worth least.
  ///
  /// - Parameter sparingTiles: whether pictures stay whose tiles the next one's are compared with.
  /// - Returns: whether there was anything.
  @discardableResult package func dropOne(sparingTiles: Bool = false) -> Bool {
    let picture = pictures.filter { !sparingTiles || $0.value.tiles == nil }
      .min { $0.value.worth < $1.value.worth }
    let conversation = conversations.min { $0.worth < $1.worth }
    if let picture, conversation.map({ picture.value.worth < $0.worth }) ?? true {
      pictures[picture.key] = nil
    } else if let conversation {
      conversations.removeAll { $0 === conversation }
    } else {
      return false
    }
    update()
    return true
  }

  /// The most conversations to keep. Each is compared with every question, and takes a few pages that no position
  /// accounts for.
  private static let mostConversations = 32

  private func trim() {
    while conversations.count > Self.mostConversations,
      let least = conversations.min(by: { $0.worth < $1.worth })
    {
      conversations.removeAll { $0 === least }
    }
    while byteCount > limit, dropOne() {}
    update()
  }

  private func nextUse() -> Int {
    uses += 1
    return uses
  }

  private func update() {
    var sessions: [Int: Int] = [:]
    for kept in conversations {
      if let session = kept.owner.session { sessions[session, default: 0] += kept.byteCount }
    }
    bytes.set(sessions)
  }
}

/// Bytes of the conversations that are kept for each session, for all threads.
package final class KeptBytes: Sendable {
  private let sessions = Monitor<[Int: Int]>([:])

  package init() {}

  package func byteCount(session: Int) -> Int { sessions.withLock { $0[session] ?? 0 } }

  fileprivate func set(_ bytes: [Int: Int]) { sessions.withLock { $0 = bytes } }
}
