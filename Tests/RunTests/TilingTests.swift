import Foundation
import TestSupport
import Testing
import VL2Quant
import VL2Run

/// A processor that cuts tiles as a config's `candidate_resolutions` say.
func processor(candidates: [[Int]], mean: Float = 0.5) -> ProcessorConfig {
  ProcessorConfig(
    candidateResolutions: candidates.map { .init(width: $0[0], height: $0[1]) }, patchSize: 14,
    downsampleRatio: 2, imageMean: [mean, mean, mean], imageStd: [0.5, 0.5, 0.5], imageToken: "<image>",
    padToken: "<pad>")
}

/// The published candidate resolutions for tiles of another size than 384.
func publishedCandidates(side: Int = 384) -> [[Int]] {
  [
    [1, 1], [1, 2], [2, 1], [1, 3], [3, 1], [1, 4], [4, 1], [2, 2], [1, 5], [5, 1], [1, 6], [6, 1], [2, 3],
    [3, 2], [1, 7], [7, 1], [4, 2], [2, 4], [1, 8], [8, 1], [1, 9], [3, 3], [9, 1],
  ].map { [$0[0] * side, $0[1] * side] }
}

struct TilingTests {
  struct GoldenCase: Decodable {
    var name: String
    var images: [String]
  }

  @Test func tilesOfTheGoldenCases() throws {
    let folder = Fixtures.path("golden")
    let cases = try JSONDecoder().decode(
      [GoldenCase].self, from: Data(contentsOf: URL(fileURLWithPath: folder + "/cases.json")))
    let config = try #require(
      JSONSerialization.jsonObject(
        with: Data(
          contentsOf: URL(fileURLWithPath: folder + "/checkpoints/nano-mha/processor_config.json")))
        as? [String: Any])
    let candidates = try #require(config["candidate_resolutions"] as? [[Int]])

    var compared = 0
    for golden in cases where !golden.images.isEmpty {
      let file = try SafetensorsFile(path: folder + "/nano-mha/\(golden.name).safetensors")
      let grids = try file.integers(of: "grids")
      for (index, image) in golden.images.enumerated() {
        let picture = try Picture(contentsOf: folder + "/" + image)
        let tiled = TiledPicture(
          picture, processor: processor(candidates: candidates), cropping: golden.images.count <= 2)
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
}
