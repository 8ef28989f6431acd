import TestFrames
import Testing
import VL2Run
import VL2Serve

/// Pictures of cameras that leave out the tables which browsers need.
@Suite struct HuffmanTablesTests {
  private let jpeg = DrawnScene(width: 160, height: 120).picture(seed: 1).jpeg()

  /// What stands in the segments of one kind before the first scan.
  private func segments(_ jpeg: [UInt8], _ code: UInt8) -> [[UInt8]] {
    var found: [[UInt8]] = []
    var position = 2
    while position + 3 < jpeg.count, jpeg[position + 1] != 0xDA {
      let end = position + 2 + Int(jpeg[position + 2]) << 8 + Int(jpeg[position + 3])
      if jpeg[position + 1] == code { found.append(Array(jpeg[position + 4..<end])) }
      position = end
    }
    return found
  }

  /// They are the tables that libjpeg writes where it makes none of its own, in its order.
  @Test func putIn() throws {
    let bare = withoutHuffmanTables(jpeg)
    #expect(segments(bare, 0xC4).isEmpty && segments(jpeg, 0xC4).count == 4)
    let whole = HuffmanTables.completing(bare)
    #expect(segments(whole, 0xC4) == [segments(jpeg, 0xC4).flatMap { $0 }])
    let picture = try Picture(data: jpeg, name: "jpeg")
    #expect(try Picture(data: whole, name: "whole") == picture)
    #expect(HuffmanTables.completing(whole) == whole)
  }

  @Test func leftAlone() {
    #expect(HuffmanTables.completing(jpeg) == jpeg)
    var arithmetic = withoutHuffmanTables(jpeg)
    for index in arithmetic.indices.dropLast()
    where arithmetic[index] == 0xFF && arithmetic[index + 1] == 0xC0 {
      arithmetic[index + 1] = 0xC9
    }
    #expect(HuffmanTables.completing(arithmetic) == arithmetic)
  }

  /// Whatever is missing or wrong, nothing but the tables is added.
  @Test func damaged() {
    let bare = withoutHuffmanTables(jpeg)
    let added = HuffmanTables.completing(bare).count - bare.count
    for length in 0..<bare.count {
      let cut = Array(bare.prefix(length))
      let made = HuffmanTables.completing(cut)
      #expect(made == cut || made.count == cut.count + added)
    }
    for index in 0..<min(700, bare.count) {
      for value in [0, 1, 0xC4, 0xD9, 0xDA, 0xFF] as [UInt8] {
        var wrong = bare
        wrong[index] = value
        let made = HuffmanTables.completing(wrong)
        #expect(made == wrong || made.count == wrong.count + added)
      }
    }
  }
}
