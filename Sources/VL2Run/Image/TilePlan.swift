import VL2Quant

/// How many tiles each picture of a question is cut into, and what that costs.
///
/// The tiles are the cost of the vision tower, and their tokens are the cost of prefill. Every picture has
/// one tile that shows it as a whole; further tiles show its parts larger.
public struct TilePlan: Sendable, Equatable {
  package var grids: [TileGrid]
  /// Tiles that go through the vision tower, for each picture.
  public var tiles: [Int] { grids.map(\.encodedTiles) }
  /// The number of tiles that each picture would have without a limit.
  public var unlimitedTiles: [Int]
  /// Tokens of the prompt, pictures included.
  public var promptTokens: Int
  /// Tiles and tokens after the last answer of a conversation. What is before was looked at and read already, where
  /// the conversation is kept.
  public var newTiles: Int
  public var newTokens: Int

  /// Tiles of all pictures.
  public var total: Int { tiles.reduce(0, +) }
}

/// How many tiles pictures may have.
public enum TileLimit: Sendable, Equatable {
  /// As many as the context has room for beside the question and an answer.
  case context
  /// As `context`, and no more than this for all pictures together, except those with a limit of their own
  /// (`Turn.Part.picture`); each picture has at least one.
  case tiles(Int)
  /// As many as let the answer begin within so many seconds at this speed; one for each picture where that takes
  /// longer.
  case seconds(Double, at: SpeedEstimate)
  /// As many as let looking and reading take at most half of what is left of the question's `timeLimit` when its turn
  /// comes, after it waited for others; one for each picture where that takes longer. The other half is for the answer.
  case halfOfTimeLimit(at: SpeedEstimate)
}

extension TileGrid {
  /// Tiles that the tower has to encode: the global view and the local tiles, or one tile where both are the same.
  package var encodedTiles: Int { rows * columns == 1 ? 1 : 1 + rows * columns }
}
