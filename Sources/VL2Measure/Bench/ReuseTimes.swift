import VL2Base
import VL2Run

/// What a camera saves whose picture changes in one place: medians with `TileReuse.off` and `TileReuse.exact`, one after the
/// other in each run.
package struct ReuseTimes {
  /// One of the two ways.
  package struct Side {
    /// Tiles that were encoded for a picture.
    package var tiles = 0
    /// Tower and projector.
    package var encodingSeconds = 0.0
    /// From the decoded picture to the first token.
    package var firstTokenSeconds = 0.0
  }

  /// How many local tiles the picture has.
  package private(set) var columns = 0
  package private(set) var rows = 0
  package private(set) var promptTokens = 0
  package private(set) var off = Side()
  package private(set) var exact = Side()

  /// Measures a picture of noise, 3 x 2 tiles where the model cuts it so, in which one local tile after the other changes.
  package init(_ model: Model, runs: Int) throws {
    var random = RandomBits(state: 512)
    let side = model.config.processor.candidateResolutions[0].width
    var picture = random.picture(width: 3 * side, height: 2 * side)
    let kept = ReadingCache(limit: 1 << 30)
    var (offTimes, exactTimes) = (Times(), Times())
    // The first run of each does not count: weights are read, and all tiles are new.
    for run in 0...runs {
      picture = Self.changed(picture, tile: run % 6, side: side, &random)
      for reuse in [TileReuse.off, .exact] {
        var question = Question("What is in the picture?", pictures: [picture], maxTokens: 1)
        question.reuse = reuse
        question.caller = .camera
        var answer: Answer?
        let took = try seconds {
          answer = try model.answer(question, keeping: reuse == .off ? nil : kept)
        }
        guard let answer, run > 0 else { continue }
        promptTokens = answer.counts.promptTokens
        if let grid = answer.plan?.grids.first { (columns, rows) = (grid.columns, grid.rows) }
        switch reuse {
        case .off: offTimes.add(answer, took, to: &off)
        default: exactTimes.add(answer, took, to: &exact)
        }
      }
    }
    (off.encodingSeconds, off.firstTokenSeconds) = (median(offTimes.encoding), median(offTimes.firstToken))
    (exact.encodingSeconds, exact.firstTokenSeconds) = (
      median(exactTimes.encoding), median(exactTimes.firstToken)
    )
  }

  private struct Times {
    var encoding: [Double] = []
    var firstToken: [Double] = []

    mutating func add(_ answer: Answer, _ took: Double, to side: inout Side) {
      encoding.append(answer.counts.seconds.vision)
      firstToken.append(took)
      side.tiles = answer.counts.tiles
    }
  }

  /// A patch in the middle of one of 3 x 2 parts, so that the neighbours' edges stay as they are.
  private static func changed(
    _ picture: Picture, tile: Int, side: Int, _ random: inout RandomBits
  ) -> Picture {
    var pixels = picture.pixels
    let (top, left) = (tile / 3 * side + side / 3, tile % 3 * side + side / 3)
    for y in top..<top + side / 3 {
      for index in (y * picture.width + left) * 3..<(y * picture.width + left + side / 3) * 3 {
        pixels[index] = UInt8(truncatingIfNeeded: random.next())
      }
    }
    return Picture(width: picture.width, height: picture.height, pixels: pixels)
  }
}
