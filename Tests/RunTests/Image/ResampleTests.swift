import Testing
import VL2Run

struct ResampleTests {
  @Test func everySizeEqualsPillows() throws {
    let expected = try PictureExpectations.load().resized
    #expect(expected.count > 70)
    for item in expected {
      let picture = randomPicture(seed: item.seed, width: item.from[0], height: item.from[1])
      let resized = picture.resized(width: item.to[0], height: item.to[1])
      #expect(sha256(resized.pixels) == item.sha256, "\(item.from) to \(item.to)")
    }
  }

  @Test func aColourStaysTheColour() {
    func plain(_ width: Int, _ height: Int) -> Picture {
      var pixels: [UInt8] = []
      for _ in 0..<width * height { pixels += [200, 7, 255] }
      return Picture(width: width, height: height, pixels: pixels)
    }
    for (width, height) in [(1, 1), (3, 200), (129, 64)] {
      for (newWidth, newHeight) in [(1, 1), (17, 5), (150, 211)] {
        #expect(
          plain(width, height).resized(width: newWidth, height: newHeight) == plain(newWidth, newHeight))
      }
    }
  }

  /// So long a row that its weights are made in several turns.
  @Test func longRowsAreMadeInTurns() {
    let width = 1_500_000
    var pixels: [UInt8] = []
    for x in 0..<width { pixels += [UInt8(x * 255 / width), 0, UInt8(255 - x * 255 / width)] }
    let resized = Picture(width: width, height: 1, pixels: pixels).resized(width: 510, height: 1)
    for x in 0..<510 {
      #expect(abs(Int(resized.pixels[3 * x]) - x / 2) <= 1)
      #expect(abs(Int(resized.pixels[3 * x + 2]) - (255 - x / 2)) <= 1)
    }
  }

}
