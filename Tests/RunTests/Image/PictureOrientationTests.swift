import TestSupport
import Testing
import VL2Run

struct PictureOrientationTests {
  /// A TIFF structure with one entry: an orientation of 16 bits.
  private func block(_ value: UInt8, littleEndian: Bool, count: UInt8 = 1) -> [UInt8] {
    littleEndian
      ? [0x49, 0x49, 42, 0, 8, 0, 0, 0, count, 0, 0x12, 1, 3, 0, 1, 0, 0, 0, value, 0, 0, 0, 0, 0, 0, 0]
      : [0x4D, 0x4D, 0, 42, 0, 0, 0, 8, 0, count, 1, 0x12, 0, 3, 0, 0, 0, 1, 0, value, 0, 0, 0, 0, 0, 0]
  }

  @Test func bothByteOrders() {
    for orientation in Orientation.allCases {
      let value = UInt8(orientation.rawValue)
      #expect(Orientation(exif: block(value, littleEndian: true)) == orientation)
      #expect(Orientation(exif: block(value, littleEndian: false)) == orientation)
    }
  }

  /// The standard wants 16 bits; some programs write a byte or 32 bits, or numbers with a sign.
  @Test func everyTypeOfInteger() {
    for (type, size) in [(1, 1), (3, 2), (4, 4), (6, 1), (8, 2), (9, 4)] as [(UInt8, Int)] {
      for littleEndian in [true, false] {
        var data = block(6, littleEndian: littleEndian)
        data[littleEndian ? 12 : 13] = type
        let value: [UInt8] =
          littleEndian ? [6, 0, 0, 0] : [UInt8](repeating: 0, count: size - 1) + [6, 0, 0, 0]
        data.replaceSubrange(18..<22, with: value.prefix(4))
        #expect(Orientation(exif: data) == .needsClockwise, "\(type), \(littleEndian)")
      }
    }
  }

  @Test func nonsenseMeansUpright() {
    let good = block(6, littleEndian: true)
    for length in 0..<20 { #expect(Orientation(exif: good[..<length]) == .upright) }
    #expect(Orientation(exif: good[..<20]) == .needsClockwise)
    for value: UInt8 in [0, 9, 255] {
      #expect(Orientation(exif: block(value, littleEndian: true)) == .upright)
    }
    var other = good
    other[2] = 43
    #expect(Orientation(exif: other) == .upright)
    for offset: UInt8 in [1, 25, 26, 255] {
      var elsewhere = good
      elsewhere.replaceSubrange(4..<8, with: [offset, 255, 255, 255])
      #expect(Orientation(exif: elsewhere) == .upright)
    }
    var text = good
    text[12] = 2
    #expect(Orientation(exif: text) == .upright)
    // More entries than there are bytes, and none of them an orientation.
    var many = block(6, littleEndian: true, count: 255)
    many[9] = 255
    many[10] = 0x13
    #expect(Orientation(exif: many) == .upright)
  }

  @Test func randomBlocksNeverCrash() {
    var generator = SplitMix64(seed: 5)
    var turned = 0
    for round in 0..<50_000 {
      var data = block(6, littleEndian: round % 2 == 0)
      if round % 3 == 0 { data += data }
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        data[Int.random(in: 0..<data.count, using: &generator)] = UInt8(truncatingIfNeeded: generator.next())
      }
      data.removeLast(Int.random(in: 0...data.count, using: &generator) * (round % 2))
      if Orientation(exif: data) != .upright { turned += 1 }
    }
    #expect(turned > 1000)
  }

  @Test func everyTurnPutsCornersWhereTheyBelong() {
    // 3 x 2: a b c
    //        d e f
    let picture = Picture(width: 3, height: 2, pixels: "abcdef".utf8.flatMap { [$0, $0, $0] })
    let expected: [Orientation: (Int, String)] = [
      .upright: (3, "abcdef"), .mirrored: (3, "cbafed"), .turnedHalf: (3, "fedcba"), .flipped: (3, "defabc"),
      .transposed: (2, "adbecf"), .needsClockwise: (2, "daebfc"), .transversed: (2, "fcebda"),
      .needsCounterClockwise: (2, "cfbead"),
    ]
    for orientation in Orientation.allCases {
      let turned = picture.turnedUpright(from: orientation)
      let letters = stride(from: 0, to: 18, by: 3).map { Character(UnicodeScalar(turned.pixels[$0])) }
      #expect(turned.width == expected[orientation]?.0)
      #expect(String(letters) == expected[orientation]?.1)
    }
  }
}
