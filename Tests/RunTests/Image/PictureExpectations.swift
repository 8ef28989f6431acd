import CCrypto
import Foundation
import TestSupport
import VL2Run

/// What Pillow makes of the fixtures in `pictures/`; see make_pictures.py there.
struct PictureExpectations: Decodable {
  struct Decoded: Decodable, Sendable {
    var file: String
    var width: Int
    var height: Int
    var sha256: String
    var columns: Int
    var rows: Int
    var tiles: String
  }
  struct Resized: Decodable, Sendable {
    var seed: UInt64
    var from: [Int]
    var to: [Int]
    var sha256: String
  }
  struct Tiled: Decodable, Sendable {
    var seed: UInt64
    var width: Int
    var height: Int
    var side: Int
    var cropping: Bool
    var mean: [Float]
    var columns: Int
    var rows: Int
    var sha256: String
  }

  var pictures: [Decoded]
  var resized: [Resized]
  var tiled: [Tiled]
  /// Width and height of a picture, columns and rows of its canvas.
  var canvases: [[Int]]

  static func load() throws -> PictureExpectations {
    let file = URL(fileURLWithPath: Fixtures.path("pictures/expected.json"))
    return try JSONDecoder().decode(PictureExpectations.self, from: Data(contentsOf: file))
  }
}

/// The bytes of a fixture in `pictures/`.
func pictureFixture(_ name: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: URL(fileURLWithPath: Fixtures.path("pictures/" + name))))
}

/// A picture of noise: the generator's numbers, little-endian, one after the other.
func randomPicture(seed: UInt64, width: Int, height: Int) -> Picture {
  var generator = SplitMix64(seed: seed)
  let count = width * height * 3
  var pixels: [UInt8] = []
  while pixels.count < count {
    let number = generator.next()
    for shift in 0..<8 { pixels.append(UInt8(truncatingIfNeeded: number >> (8 * shift))) }
  }
  return Picture(width: width, height: height, pixels: Array(pixels[..<count]))
}

/// SHA-256 in lower-case hexadecimal.
func sha256(_ bytes: [UInt8]) -> String {
  var digest = [UInt8](repeating: 0, count: 32)
  EVP_Digest(bytes, bytes.count, &digest, nil, EVP_sha256(), nil)
  return digest.map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}
