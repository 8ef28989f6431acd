import VL2Quant

/// How many tiles each picture of a request is cut into, and what that costs.
///
/// The tiles are the cost of the vision tower, and their tokens are the cost of prefill. Every picture has
/// one tile that shows it as a whole; further tiles show its parts larger.
public struct TilePlan: Sendable, Equatable {
  /// Tiles that go through the vision tower, for each picture.
  public var tiles: [Int]
  /// The number of tiles that each picture would have without a limit.
  public var unlimitedTiles: [Int]
  /// Tokens of the prompt, pictures included.
  public var promptTokens: Int

  /// Tiles of all pictures.
  public var total: Int { tiles.reduce(0, +) }
}

/// How many tiles pictures may have.
public enum TileLimit: Sendable, Equatable {
  /// As many as the context has room for beside the question and an answer.
  case context
  /// As `context`, and no more than this for all pictures together, except those with fixed tiles; each
  /// picture has at least one.
  case tiles(Int)
}

/// Works out tile plans.
struct TilePlanner {
  let candidates: [ProcessorConfig.Size]
  let places: ImageTokens

  init(_ processor: ProcessorConfig) {
    candidates = processor.candidateResolutions
    places = ImageTokens(processor)
  }

  private var side: Int { candidates[0].width }

  /// The sizes of canvases that give a picture at most so many tiles.
  static func candidates(_ all: [ProcessorConfig.Size], mostTiles: Int) -> [ProcessorConfig.Size] {
    let area = all[0].width * all[0].height
    // Besides the local tiles there is the global view; a canvas of one tile is that view.
    return all.filter { $0 == all[0] || 1 + $0.width * $0.height / area <= mostTiles }
  }

  private func grid(_ picture: Picture, mostTiles: Int) -> TileGrid {
    let canvas = TiledPicture.canvas(
      width: picture.width, height: picture.height,
      among: Self.candidates(candidates, mostTiles: mostTiles))
    return TileGrid(columns: canvas.width / side, rows: canvas.height / side)
  }

  /// - Parameters:
  ///   - cropping: whether pictures have local tiles at all.
  ///   - fixed: the most tiles of each of the first pictures; these are not reduced further.
  ///   - textTokens: tokens of the prompt without those of pictures.
  ///   - room: tokens that the whole prompt may have.
  func plan(
    _ pictures: [Picture], cropping: Bool, fixed: [Int], limit: TileLimit, textTokens: Int, room: Int
  ) -> TilePlan {
    let free = pictures.map { cropping ? grid($0, mostTiles: .max) : TileGrid(columns: 1, rows: 1) }
    var grids = free
    for (index, tiles) in fixed.prefix(pictures.count).enumerated() where cropping {
      grids[index] = grid(pictures[index], mostTiles: tiles)
    }
    func isTooMuch() -> Bool {
      let tiles = grids.dropFirst(fixed.count).reduce(0) { $0 + $1.encodedTiles }
      if case .tiles(let most) = limit, tiles > most { return true }
      return tokens(grids, textTokens) > room
    }
    while isTooMuch() {
      // The picture with the most tiles loses some; of equals, the last one does.
      let reducible = grids.indices.filter { $0 >= fixed.count && grids[$0].encodedTiles > 1 }
      guard
        let index = reducible.max(by: {
          grids[$0].encodedTiles < grids[$1].encodedTiles
            || (grids[$0].encodedTiles == grids[$1].encodedTiles && $0 < $1)
        })
      else { break }
      grids[index] = grid(pictures[index], mostTiles: grids[index].encodedTiles - 1)
    }
    return TilePlan(
      tiles: grids.map(\.encodedTiles), unlimitedTiles: free.map(\.encodedTiles),
      promptTokens: tokens(grids, textTokens))
  }

  private func tokens(_ grids: [TileGrid], _ text: Int) -> Int {
    grids.reduce(text) { sum, grid in
      let (total, overflow) = sum.addingReportingOverflow(places.count(grid))
      return overflow ? .max : total
    }
  }
}

extension TileGrid {
  /// Tiles that the tower has to encode: the global view and the local tiles, or one tile where both are the same.
  var encodedTiles: Int { rows * columns == 1 ? 1 : 1 + rows * columns }
}
