import Foundation
import TestSupport
import Testing
import VL2Base
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
    /// For pictures with an opacity: SHA-256 of the pixels on backgrounds.
    var on: [String: String]?
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
    let file = Data(try bytes(of: Fixtures.path("pictures/expected.json")))
    return try JSONDecoder().decode(PictureExpectations.self, from: file)
  }
}

/// The bytes of a fixture in `pictures/`.
func pictureFixture(_ name: String) throws -> [UInt8] {
  try bytes(of: Fixtures.path("pictures/" + name))
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
func sha256(_ bytes: [UInt8]) -> String { bytes.withUnsafeBytes(sha256Hexadecimal) }

/// The error with which decoding ends, nil where it does not; any other error is recorded.
func pictureError(_ decode: () throws -> Void) -> PictureError? {
  let error = thrown(decode)
  #expect(error == nil || error is PictureError)
  return error as? PictureError
}
