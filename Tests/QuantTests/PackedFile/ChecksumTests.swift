import SystemSupport
import TestSupport
import Testing
import VL2Quant

@Suite struct ChecksumTests {
  /// Vectors of RFC 3720, appendix B.4. The RFC lists bytes of the checksum in the order of transmission.
  private static let vectors: [(bytes: [UInt8], checksum: UInt32)] = [
    (Array(repeating: 0, count: 32), 0x8A91_36AA),
    (Array(repeating: 0xFF, count: 32), 0x62A8_AB43),
    (Array(0..<32), 0x46DD_794E),
    (Array((0..<32).reversed()), 0x113F_DB5C),
    (readCommand, 0xD996_3A56),
    (Array("123456789".utf8), 0xE306_9283),
    ([], 0),
  ]

  /// An iSCSI read command.
  private static let readCommand: [UInt8] = [
    0x01, 0xC0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x14, 0, 0, 0, 0, 0, 0x04, 0, 0, 0, 0, 0x14, 0, 0,
    0,
    0x18, 0x28, 0, 0, 0, 0, 0, 0, 0, 0x02, 0, 0, 0, 0, 0, 0, 0,
  ]

  @Test(arguments: vectors.indices)
  func knownChecksums(index: Int) {
    let (bytes, checksum) = Self.vectors[index]
    #expect(vl2_crc32c(0, bytes, bytes.count) == checksum)
    #expect(vl2_crc32c_table(0, bytes, bytes.count) == checksum)
  }

  @Test func instructionAndTableAgreeAndContinue() {
    var random = SplitMix64(seed: 32)
    let bytes = (0..<5000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    bytes.withUnsafeBytes { all in
      for _ in 0..<2000 {
        let start = Int.random(in: 0...64, using: &random)
        let count = Int.random(in: 0...300, using: &random) + (random.next() % 16 == 0 ? 4000 : 0)
        let (at, seed) = (all.baseAddress! + start, UInt32(truncatingIfNeeded: random.next()))
        let whole = vl2_crc32c(seed, at, count)
        #expect(whole == vl2_crc32c_table(seed, at, count))
        let cut = Int.random(in: 0...count, using: &random)
        #expect(whole == vl2_crc32c(vl2_crc32c(seed, at, cut), at + cut, count - cut))
      }
    }
  }

  /// FIPS 180-2's examples, and the empty text.
  @Test(arguments: [
    ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
    ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
  ])
  func sectionHash(text: String, hash: String) {
    let section = PackedSection(name: "s", tensors: [], bytes: Array(text.utf8), compression: .whereUseful)
    #expect(section.sha256 == hash)
  }
}
