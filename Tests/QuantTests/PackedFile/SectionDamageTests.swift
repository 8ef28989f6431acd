import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// Damage to sections and to the padding between them.
@Suite struct SectionDamageTests {
  @Test(arguments: [PackedSection.Compression.never, .whereUseful])
  func oneBitOfEverySectionIsFound(compression: PackedSection.Compression) throws {
    try withPackedParts(compression: compression) { parts, path in
      let good = parts
      let sections = try PackedFile(path: path).manifest.sections
      var random = SplitMix64(seed: 5)
      for section in sections {
        let last = section.storedLength - 1
        for place in [0, last, Int.random(in: 0...last, using: &random)] {
          parts.body[section.offset + place] ^= 1 << (random.next() % 8)
          try parts.write(path)
          let file = try PackedFile(path: path)
          let damaged = PackedFileError.damagedSection(path: path, section: section.name)
          #expect(throws: damaged) { try file.verify() }
          if section.encoding == .zstd {
            #expect(throws: damaged) { try file.sectionBytes(section.name) }
            #expect(throws: damaged) { try file.withSectionBytes(section.name) { $0.count } }
          }
          parts = good
        }
      }
      #expect(throws: Never.self) {
        try good.write(path)
        try PackedFile(path: path).verify()
      }
    }
  }

  /// Most of a small file is padding: a flipped bit there does not pass for a good file either.
  @Test func oneByteOfThePaddingIsFound() throws {
    try withPackedParts { parts, path in
      let good = parts
      var start = 64
      func expectDamage(_ places: Range<Int>, before part: String) throws {
        for place in Set([places.lowerBound, places.lowerBound + places.count / 2, places.upperBound - 1]) {
          parts.body[place] ^= 0x20
          try parts.write(path)
          parts = good
          let file = try PackedFile(path: path)
          #expect(throws: PackedFileError.damagedPadding(path: path, before: part)) { try file.verify() }
        }
      }
      for section in try PackedFile(path: path).manifest.sections {
        try expectDamage(start..<section.offset, before: "section \(section.name)")
        start = section.offset + section.storedLength
      }
      #expect(start < good.body.count)
      try expectDamage(start..<good.body.count, before: "the manifest")
    }
  }

  /// A few hundred bytes that would unpack to gigabytes are refused before any memory is asked for.
  @Test func framesThatPromiseTooMuch() throws {
    try withPackedParts(compression: .whereUseful) { parts, path in
      let good = parts.text
      let entry = try #require(try PackedFile(path: path).manifest.sections.first { $0.tensors.isEmpty })
      #expect(entry.encoding == .zstd)
      func open(rawLength: Int) throws -> (any ReportableError)? {
        parts.text = good.replacingOccurrences(
          of: "\"rawLength\":\(entry.rawLength),", with: "\"rawLength\":\(rawLength),")
        try parts.write(path)
        return reported { _ = try PackedFile(path: path) }
      }
      let most = entry.storedLength * 256
      let fits = try open(rawLength: most)
      #expect(fits == nil)
      for length in [most + 1, 1 << 26, 1 << 40, Int.max] {
        let error = try open(rawLength: length)
        let field = "raw length of section \(entry.name)"
        #expect(error as? PackedFileError == .invalid(path: path, field: field, problem: "is \(length)"))
      }
    }
  }

  @Test func theFirstOfSeveralDamagedSectionsIsNamed() throws {
    try withPackedParts { parts, path in
      let sections = try PackedFile(path: path).manifest.sections
      for section in sections.dropFirst(2) { parts.body[section.offset] ^= 1 }
      try parts.write(path)
      let damaged = PackedFileError.damagedSection(path: path, section: sections[2].name)
      let file = try PackedFile(path: path)
      #expect(throws: damaged) { try file.verify() }
    }
  }

  /// Frames that the checksum allows and that do not hold what the manifest says.
  @Test func framesOfOtherContent() throws {
    try withPackedParts(compression: .whereUseful) { parts, path in
      let (goodText, goodBody) = (parts.text, parts.body)
      let entry = try #require(try PackedFile(path: path).manifest.sections.first { $0.encoding == .zstd })
      func expectDamage(_ note: String, unpacks: Bool = false, _ change: (inout [UInt8]) -> Void) throws {
        (parts.text, parts.body) = (goodText, goodBody)
        var stored = Array(goodBody[entry.offset..<entry.offset + entry.storedLength])
        change(&stored)
        if stored.count > entry.storedLength {
          // Padding lies behind every section.
          #expect(stored.count % 65536 > entry.storedLength % 65536)
        }
        let end = entry.offset + stored.count
        parts.body.replaceSubrange(entry.offset..<end, with: stored)
        let checksum = PackedParts.number(stored)
        let start = try #require(goodText.range(of: "\"name\":\"\(entry.name)\"")).lowerBound
        let object = try #require(
          goodText.range(of: "{\"crc32c\":", options: .backwards, range: goodText.startIndex..<start))
        var text = String(goodText[object.lowerBound...])
        for (key, old, new) in [
          ("crc32c", Int(entry.crc32c), Int(checksum)), ("storedLength", entry.storedLength, stored.count),
        ] {
          let range = try #require(text.range(of: "\"\(key)\":\(old)"))
          text.replaceSubrange(range, with: "\"\(key)\":\(new)")
        }
        parts.text = goodText[..<object.lowerBound] + text
        try parts.write(path)
        let file = try PackedFile(path: path)
        let damaged = PackedFileError.damagedSection(path: path, section: entry.name)
        if !unpacks { #expect(throws: damaged, "\(note)") { try file.sectionBytes(entry.name) } }
        #expect(throws: damaged, "\(note)") { try file.verify() }
      }
      try expectDamage("not a frame") { $0[0] ^= 1 }
      try expectDamage("cut") { $0.removeLast() }
      try expectDamage("a byte behind it") { $0.append(0) }
      try expectDamage("two frames") {
        $0 += $0.prefix(0) + [0x28, 0xB5, 0x2F, 0xFD, 0x20, 0x00, 0x01, 0x00, 0x00]
      }
      try expectDamage("all zeros") { $0 = Array(repeating: 0, count: $0.count) }
      // The content size stands behind the magic number and the descriptor.
      try expectDamage("another content size") { $0[5] ^= 1 }
      try expectDamage("a huge content size") {
        $0.replaceSubrange(0..<13, with: [0x28, 0xB5, 0x2F, 0xFD, 0xE0] + Array(repeating: 0x7F, count: 8))
      }
      var random = SplitMix64(seed: 9)
      // Such a frame may unpack to other bytes, which only the hash of the raw bytes tells.
      for _ in 0..<20 {
        try expectDamage("a byte inside", unpacks: true) {
          $0[Int.random(in: 6..<$0.count, using: &random)] ^= 0xFF
        }
      }
    }
  }
}
