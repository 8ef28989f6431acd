import VL2Quant

/// Works out how many tiles the pictures of a prompt are cut into.
struct TilePlanner {
  private let config: ModelConfig
  private let places: ImageTokens
  private var candidates: [ProcessorConfig.Size] { config.processor.candidateResolutions }

  /// The most pictures of a prompt that have local tiles.
  ///
  /// Source: deepseek-ai/DeepSeek-VL2, `processing_deepseek_vl_v2.py`, `cropping=len(images) <= 2`.
  private static let mostCropped = 2

  init(_ config: ModelConfig) {
    self.config = config
    places = ImageTokens(config.processor)
  }

  /// - Parameters:
  ///   - text: a prompt, with its pictures.
  ///   - limit: in seconds rather than half of a time limit, of which nothing is known here.
  ///   - room: tokens that the whole prompt may have.
  func plan(_ text: PromptText, limit: TileLimit, room: Int) -> TilePlan {
    let all = plan(text, mostTiles: nil, room: room)
    switch limit {
    case .context, .halfOfTimeLimit: return all
    case .tiles(let most): return plan(text, mostTiles: most, room: room)
    case .seconds(let seconds, let speed):
      var best = all
      for most in stride(from: all.total - 1, through: 1, by: -1) where speed.seconds(best) > seconds {
        best = plan(text, mostTiles: most, room: room)
      }
      return best
    }
  }

  /// - Parameter most: tiles of all pictures together that have no limit of their own; nil for as many as there is
  ///   room for.
  private func plan(_ text: PromptText, mostTiles most: Int?, room: Int) -> TilePlan {
    let pictures = text.pictures
    let crops = pictures.count <= Self.mostCropped
    func grid(_ index: Int, mostTiles: Int) -> TileGrid {
      crops ? self.grid(pictures[index].picture, mostTiles: mostTiles) : TileGrid(columns: 1, rows: 1)
    }
    let free = pictures.indices.map { grid($0, mostTiles: .max) }
    let own = pictures.map(\.mostTiles)
    var grids = pictures.indices.map { index in own[index].map { grid(index, mostTiles: $0) } ?? free[index] }
    let shared = grids.indices.filter { own[$0] == nil }
    func isTooMuch() -> Bool {
      if let most, shared.reduce(0, { $0 + grids[$1].encodedTiles }) > most { return true }
      return tokens(grids[...], text.count) > room
    }
    while isTooMuch() {
      // The picture with the most tiles loses some; of equals, the last one does.
      guard
        let index = shared.filter({ grids[$0].encodedTiles > 1 }).max(by: {
          grids[$0].encodedTiles < grids[$1].encodedTiles
            || (grids[$0].encodedTiles == grids[$1].encodedTiles && $0 < $1)
        })
      else { break }
      grids[index] = grid(index, mostTiles: grids[index].encodedTiles - 1)
    }
    let newTurns = text.newTurns
    let newGrids = grids.suffix(newTurns.reduce(0) { $0 + $1.pictures.count })
    return TilePlan(
      grids: grids, unlimitedTiles: free.map(\.encodedTiles), promptTokens: tokens(grids[...], text.count),
      newTiles: newGrids.reduce(0) { $0 + $1.encodedTiles },
      newTokens: tokens(newGrids, text.answer.count + newTurns.reduce(0) { $0 + $1.count }))
  }

  private func grid(_ picture: Picture, mostTiles: Int) -> TileGrid {
    let canvas = TiledPicture.canvas(
      width: picture.width, height: picture.height,
      among: TiledPicture.candidates(candidates, mostTiles: mostTiles))
    let side = candidates[0].width
    return TileGrid(columns: canvas.width / side, rows: canvas.height / side)
  }

  private func tokens(_ grids: ArraySlice<TileGrid>, _ text: Int) -> Int {
    grids.reduce(text) { sum, grid in
      let (total, overflow) = sum.addingReportingOverflow(places.count(grid))
      return overflow ? .max : total
    }
  }
}
