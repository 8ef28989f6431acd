import TestModels
import TestSupport
import Testing
import VL2Quant
import VL2Run

/// A section that something has changed: an error or wrong tokens, never a crash and never a long wait.
@Suite struct TokenizerDamageTests {
  private static let text =
    "<|User|>: Hello, world!  12345 图中有什么？ naïve café\n\n<｜▁pad▁｜><image>\u{0}\u{301}🙂 the there then<|Assistant|>:"

  private func use(_ tokenizer: Tokenizer) {
    let ids = tokenizer.encode(Self.text)
    #expect(ids.count <= Self.text.utf8.count)
    #expect(ids.allSatisfy { (0..<tokenizer.count).contains($0) })
    _ = tokenizer.decode(ids)
    _ = tokenizer.id(of: "<image>")
    for id in [0, 1, 300, 631, 639, tokenizer.count - 1] { _ = tokenizer.bytes(of: id) }
  }

  @Test func tenThousandMutations() throws {
    let good = try TokenizerFixtures.nanoSection()
    let memory = SectionMemory(good)
    var random = SplitMix64(seed: 7)
    var refused = 0
    for round in 0..<10_000 {
      var touched: [Int] = []
      for _ in 0..<Int.random(in: 1...8, using: &random) {
        // Every other change goes into the head and the tables that lead to others.
        let limit = round % 2 == 0 ? good.count : 160
        let offset = Int.random(in: 0..<limit, using: &random)
        touched.append(offset)
        memory.bytes[offset] =
          [0, 1, 0x7F, 0x80, 0xFF, UInt8.random(in: 0...255, using: &random)].randomElement(using: &random)
          ?? 0
      }
      do {
        use(try memory.open())
      } catch is TokenizerError {
        refused += 1
      }
      for offset in touched { memory.bytes[offset] = good[offset] }
    }
    #expect(refused > 1000 && refused < 9000)
    #expect(try memory.open().encode(Self.text) == TokenizerFixtures.nano.get().encode(Self.text))
  }

  @Test func everyNumberOfTheHeadAtItsExtremes() throws {
    let good = try TokenizerFixtures.nanoSection()
    let memory = SectionMemory(good)
    var (opened, refused) = (0, 0)
    for offset in stride(from: 0, to: 128, by: 4) {
      for value: UInt32 in [0, 1, 2, 127, 128, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, 0xFFFF_FFFF] {
        memory.bytes.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
        do {
          use(try memory.open())
          opened += 1
        } catch is TokenizerError {
          refused += 1
        }
      }
      memory.bytes[offset..<offset + 4].copyBytes(from: good[offset..<offset + 4])
    }
    // Most places are checked; no number is right for all.
    #expect(opened > 0 && refused > 100, "\(opened) opened, \(refused) refused")
  }

  @Test func shortSections() throws {
    let good = try TokenizerFixtures.nanoSection()
    for length in [0, 1, 127, 128, 129, 4096, good.count - 1] {
      #expect(throws: TokenizerError.self) { try SectionMemory(Array(good.prefix(length))).open() }
    }
    #expect(throws: TokenizerError.self) { try SectionMemory(good + [0]).open() }
  }

  @Test func aFullTableOfMergesEndsSearches() throws {
    var section = try TokenizerFixtures.nanoSection()
    // The place of the fourth table.
    let (start, length) = section.withUnsafeBytes { head in
      (
        Int(head.loadUnaligned(fromByteOffset: 72, as: UInt32.self).littleEndian),
        Int(head.loadUnaligned(fromByteOffset: 76, as: UInt32.self).littleEndian)
      )
    }
    #expect(length == 512 * 16)
    for offset in start..<start + length where section[offset] == 0xFF { section[offset] = 0 }
    use(try TokenizerFixtures.open(section))
  }

  @Test func errorsNameTheField() throws {
    var section = try TokenizerFixtures.nanoSection()
    section[8] = 9
    #expect {
      try TokenizerFixtures.open(section)
    } throws: { error in
      let error = try #require(error as? TokenizerError)
      return error.description.hasPrefix("tokenizer section: version 9 ") && error.kind == .badData
    }
  }

}
