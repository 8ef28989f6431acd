import Foundation
import TestSupport
import Testing
import VL2Quant
import VL2Run

/// The published candidate resolutions for tiles of another size than 384.
func publishedCandidates(side: Int = 384) -> [ProcessorConfig.Size] {
  [
    [1, 1], [1, 2], [2, 1], [1, 3], [3, 1], [1, 4], [4, 1], [2, 2], [1, 5], [5, 1], [1, 6], [6, 1], [2, 3],
    [3, 2], [1, 7], [7, 1], [4, 2], [2, 4], [1, 8], [8, 1], [1, 9], [3, 3], [9, 1],
  ].map { ProcessorConfig.Size(width: $0[0] * side, height: $0[1] * side) }
}

struct TilingTests {
  struct GoldenCase: Decodable {
    var name: String
    var images: [String]
  }

  @Test func tilesOfTheGoldenCases() throws {
    let folder = Fixtures.path("golden")
    let cases = try JSONDecoder().decode(
      [GoldenCase].self, from: Data(bytes(of: folder + "/cases.json")))
    let config = try jsonObject(contentsOf: Fixtures.checkpoint("nano-mha") + "/processor_config.json")
    let candidates = try #require(config["candidate_resolutions"] as? [[Int]])

    var compared = 0
    for golden in cases where !golden.images.isEmpty {
      let file = try SafetensorsFile(path: folder + "/nano-mha/\(golden.name).safetensors")
      let grids = try file.integers(of: "grids")
      for (index, image) in golden.images.enumerated() {
        let picture = try Picture(contentsOf: folder + "/" + image)
        let tiled = TiledPicture(
          picture,
          candidates: candidates.prefix(golden.images.count <= 2 ? candidates.count : 1).map {
            .init(width: $0[0], height: $0[1])
          }, mean: [0.5, 0.5, 0.5])
        #expect(tiled.grid == TileGrid(columns: grids[2 * index], rows: grids[2 * index + 1]))
        #expect(
          try file.shape(of: "tiles.\(index)")
            == [1 + tiled.grid.rows * tiled.grid.columns, tiled.side, tiled.side, 3])
        #expect(try file.bytes(of: "tiles.\(index)") == tiled.tiles, "\(golden.name) \(image)")
        compared += 1
      }
    }
    #expect(compared == 8)
  }

  @Test func canvasesEqualTheReferences() throws {
    let expected = try PictureExpectations.load().canvases
    #expect(expected.count > 500)
    for item in expected {
      let canvas = TiledPicture.canvas(width: item[0], height: item[1], among: publishedCandidates())
      #expect(
        canvas == ProcessorConfig.Size(width: 384 * item[2], height: 384 * item[3]),
        "\(item[0]) x \(item[1])")
    }
  }

  @Test func tilesOfNoiseEqualPillows() throws {
    let expected = try PictureExpectations.load().tiled
    #expect(expected.count >= 60)
    for item in expected {
      let picture = randomPicture(seed: item.seed, width: item.width, height: item.height)
      let tiled = TiledPicture(
        picture, candidates: Array(publishedCandidates(side: item.side).prefix(item.cropping ? .max : 1)),
        mean: item.mean)
      #expect(tiled.grid == TileGrid(columns: item.columns, rows: item.rows))
      #expect(sha256(tiled.tiles) == item.sha256, "\(item)")
    }
  }

  @Test func theOnlyLocalTileEqualsTheGlobalView() {
    let picture = randomPicture(seed: 1, width: 40, height: 90)
    let candidates = publishedCandidates(side: 28)
    let uncropped = TiledPicture(picture, candidates: [candidates[0]], mean: [0.5, 0.5, 0.5])
    #expect(uncropped.grid == TileGrid(columns: 1, rows: 1))
    #expect(uncropped.globalEqualsLocal)
    #expect(uncropped.tiles.count == 2 * 28 * 28 * 3)
    #expect(uncropped.tiles.prefix(28 * 28 * 3) == uncropped.tiles.suffix(28 * 28 * 3))
    let cropped = TiledPicture(picture, candidates: candidates, mean: [0.5, 0.5, 0.5])
    #expect(cropped.grid.rows > 1)
    #expect(!cropped.globalEqualsLocal)
  }

  /// Fitted into the canvas it would be less than half a pixel wide: nothing of it is left, as in the reference.
  @Test func aThreadVanishes() {
    let thread = randomPicture(seed: 3, width: 1, height: 20_000)
    let tiled = TiledPicture(
      thread, candidates: publishedCandidates(), mean: [0.5, 0.5, 0.5])
    #expect(tiled.grid == TileGrid(columns: 1, rows: 1))
    #expect(tiled.tiles.count == 2 * 384 * 384 * 3 && tiled.tiles.allSatisfy { $0 == 127 })
  }
}
