import Foundation
import TestSupport
import Testing
import VL2Base
import VL2Quant

@Suite struct PackedFileDamageTests {
  /// Makes a good file, takes it apart, and hands over its parts and a path.
  private func withParts(
    compression: PackedSection.Compression = .never, _ body: (inout PackedParts, String) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try SyntheticModel.write(path, compression: compression)
      var parts = try PackedParts(path: path)
      try body(&parts, path)
    }
  }

  private func failure(_ path: String) -> (any ReportableError)? {
    reported { _ = try PackedFile(path: path) }
  }

  // MARK: the file as a whole

  @Test func whatIsNoPackedFile() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      #expect(throws: PackedFileError.missing(path: path)) { try PackedFile(path: path) }
      #expect(failure(path)?.kind == .noInput)
      #expect(throws: PackedFileError.notPacked(path: folder)) { try PackedFile(path: folder) }
      for text in [
        "", "x", "PK\u{3}\u{4} a zip file of some length, which is longer than a head of 64 bytes is",
      ] {
        try Data(text.utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: PackedFileError.notPacked(path: path)) { try PackedFile(path: path) }
      }
      #expect(failure(path)?.kind == .badData)
      let pipe = folder + "/pipe"
      #expect(mkfifo(pipe, 0o600) == 0)
      #expect(throws: PackedFileError.notPacked(path: pipe)) { try PackedFile(path: pipe) }
    }
  }

  @Test func anotherVersion() throws {
    try withParts { parts, path in
      try parts.write(path, head: parts.head(version: 2))
      #expect(throws: PackedFileError.otherVersion(path: path, version: 2)) { try PackedFile(path: path) }
      #expect(failure(path)?.description.contains("version 2 of the format") == true)
    }
  }

  @Test func cutShortAndTooLong() throws {
    try withParts { parts, path in
      let whole = parts.bytes()
      let manifest = parts.body.count
      for length in [
        8, 63, 64, 65, 4096, 65535, 65536, manifest - 1, manifest, manifest + 1, whole.count - 1,
      ] {
        try Data(whole[..<length]).write(to: URL(fileURLWithPath: path))
        let error = PackedFileError.length(
          path: path, actual: length, expected: length < 64 ? 64 : whole.count)
        #expect(throws: error) { try PackedFile(path: path) }
      }
      try Data(whole + [0]).write(to: URL(fileURLWithPath: path))
      #expect(failure(path)?.description.contains("1 more than were written") == true)
      #expect(throws: PackedFileError.length(path: path, actual: whole.count + 1, expected: whole.count)) {
        try PackedFile(path: path)
      }
    }
  }

  @Test func numbersOfTheHead() throws {
    try withParts { parts, path in
      let (offset, length) = (UInt64(parts.body.count), UInt64(parts.manifest.count))
      let heads: [(head: [UInt8], field: String)] = [
        (parts.head(manifestOffset: 1 << 63), "manifest offset"),
        (parts.head(manifestOffset: .max), "manifest offset"),
        (parts.head(manifestOffset: UInt64(Int.max)), "manifest offset"),
        (parts.head(manifestOffset: 0), "manifest offset"),
        (parts.head(manifestOffset: offset - 64), "manifest offset"),
        (parts.head(manifestOffset: offset + 8, manifestLength: length - 8), "manifest offset"),
        (parts.head(manifestLength: 1 << 63), "manifest length"),
        (parts.head(manifestLength: UInt64(Int.max)), "manifest length"),
        (parts.head(manifestLength: length - 1), "manifest offset"),
        (parts.head(manifestLength: length + 1), "manifest offset"),
        (parts.head(fileLength: 1 << 63), "file length"),
        (parts.head(manifestChecksum: 7), "manifest"),
      ]
      for (head, field) in heads {
        try parts.write(path, head: head)
        guard case .invalid(path, field, _)? = failure(path) as? PackedFileError else {
          Issue.record("\(field): \(String(describing: failure(path)))")
          continue
        }
      }
    }
  }

  /// Every byte of the head counts.
  @Test func oneByteOfTheHead() throws {
    try withParts { parts, path in
      let whole = parts.bytes()
      for place in 0..<64 {
        var bytes = whole
        bytes[place] ^= 0x10
        try Data(bytes).write(to: URL(fileURLWithPath: path))
        let error = try #require(failure(path) as? PackedFileError, "byte \(place)")
        switch (place, error) {
        case (0..<8, .notPacked), (8..<12, .otherVersion), (12..., .invalid(_, "head", _)): break
        default: Issue.record("byte \(place): \(error)")
        }
      }
      // Reserved bytes are zero even where the checksum is right.
      for place in [12, 44, 59] {
        var head = parts.head()
        head[place] = 1
        let checksum = PackedParts.checksum(head)
        head.replaceSubrange(60..<64, with: checksum)
        try parts.write(path, head: head)
        #expect(failure(path)?.description.contains("must be 0") == true)
      }
    }
  }

  // MARK: the manifest

  @Test func oneByteOfTheManifest() throws {
    try withParts { parts, path in
      let head = parts.head()
      for place in stride(from: 0, to: parts.manifest.count, by: 97) {
        parts.manifest[place] ^= 1
        try parts.write(path, head: head)
        #expect(
          failure(path)?.description.contains("manifest has another checksum than its own") == true)
        parts.manifest[place] ^= 1
      }
    }
  }

  @Test func manifestsThatAreNoManifests() throws {
    let nested = String(repeating: "[", count: 100_000)
    let texts = [
      "", " ", "null", "[]", "{}", "{\"sections\":[]}", "\u{FEFF}{}", "{} {}", nested,
      String(repeating: "{\"a\":", count: 100_000),
    ]
    try withParts { parts, path in
      for text in texts {
        parts.text = text
        try parts.write(path)
        guard case .invalid(path, "manifest", _)? = failure(path) as? PackedFileError else {
          Issue.record("\(text.prefix(20)): \(String(describing: failure(path)))")
          continue
        }
      }
      parts.manifest = [0x22, 0xFF, 0x22]
      try parts.write(path)
      #expect(failure(path)?.description.contains("manifest is not JSON") == true)
    }
  }

  /// A value of every member is replaced by each value of another kind, and every member is taken away.
  @Test func membersOfOtherTypesAndMissingMembers() throws {
    try withParts { parts, path in
      let root = try #require(
        try JSONSerialization.jsonObject(with: Data(parts.manifest)) as? [String: Any])
      let section = [
        "name", "offset", "storedLength", "rawLength", "encoding", "sha256", "crc32c", "tensors",
      ]
      let tensor = ["name", "shape", "code", "offset", "blockStep", "errorPPM"]
      var places = [
        "origin", "origin source", "origin tool", "origin demonstration", "origin leftOut", "recipe",
        "recipe 0 pattern", "recipe 0 code", "configFiles", "configFiles config.json", "sections",
      ]
      places += section.map { "sections 1 " + $0 }
      places += tensor.map { "sections 1 tensors 0 " + $0 }
      let values: [Any?] = [nil, NSNull(), "other", -1, 1.5, ["x"], ["y": 1], [1.5], [-1]]
      for place in places {
        for value in values {
          // These are as good as any other.
          if value is String,
            place.hasSuffix("source") || place.hasSuffix("tool") || place.hasSuffix("pattern")
          {
            continue
          }
          if value is [String], place.hasSuffix("leftOut") { continue }
          let changed = try #require(
            Self.changed(root, place.split(separator: " ").map { String($0) }[...], value))
          parts.manifest = [UInt8](try JSONSerialization.data(withJSONObject: changed))
          try parts.write(path)
          let error = failure(path)
          #expect(error?.kind == .badData, "\(place) = \(String(describing: value))")
          #expect(error?.description.hasPrefix(path) == true && error?.description.contains("\n") == false)
        }
      }
    }
  }

  private static func changed(_ container: Any, _ place: ArraySlice<String>, _ value: Any?) -> Any? {
    guard let first = place.first else { return value }
    if var object = container as? [String: Any], let inner = object[first] {
      object[first] = changed(inner, place.dropFirst(), value)
      return object
    }
    if var list = container as? [Any], let index = Int(first), list.indices.contains(index),
      let inner = changed(list[index], place.dropFirst(), value)
    {
      list[index] = inner
      return list
    }
    return nil
  }

  @Test func valuesThatDoNotFollowFromTheConfig() throws {
    try withParts { parts, path in
      let good = parts.text
      /// Replaces `old` behind the first `after`.
      func expect(_ old: String, _ new: String, after: String = "\"sections\":", _ field: String) throws {
        let start = try #require(good.range(of: after)).lowerBound
        let range = try #require(good.range(of: old, range: start..<good.endIndex), "\(old)")
        parts.text = good.replacingCharacters(in: range, with: new)
        try parts.write(path)
        guard case .invalid(path, field, _)? = failure(path) as? PackedFileError else {
          Issue.record("\(old) -> \(new): \(String(describing: failure(path)))")
          return
        }
      }
      let second = "\"name\":\"vision.embed\""
      for offset in [
        "-65536", "0", "65536", "131073", "131136", "9223372036854775807",
      ] {
        try expect(
          "\"offset\":131072", "\"offset\":\(offset)", after: second, "offset of section vision.embed")
      }
      try expect("\"offset\":131072", "\"offset\":9223372036854775808", after: second, "manifest")
      try expect("\"offset\":131072", "\"offset\":131072.0", after: second, "manifest")
      for beyond in [parts.body.count / 65536 * 65536 + 65536, Int.max - 65535] {
        try expect(
          "\"offset\":131072", "\"offset\":\(beyond)", after: second, "stored length of section vision.embed")
      }
      for length in ["0", "-1", "1", "999", "1001", "9223372036854775807"] {
        try expect("\"rawLength\":1000", "\"rawLength\":\(length)", "raw length of section tokenizer")
      }
      for length in ["0", "-1", "9223372036854775807", "100000000"] {
        try expect(
          "\"storedLength\":1000", "\"storedLength\":\(length)", "stored length of section tokenizer")
      }
      // A length that reaches into the next section.
      try expect(
        "\"storedLength\":1000", "\"storedLength\":65537", "raw length of section tokenizer")
      try expect("\"encoding\":\"raw\"", "\"encoding\":\"zstd\"", "raw length of section tokenizer")
      try expect("\"encoding\":\"raw\"", "\"encoding\":\"lzma\"", "manifest")
      try expect("\"crc32c\":", "\"crc32c\":4294967296,\"x\":", "manifest")
      try expect("\"crc32c\":", "\"crc32c\":-1,\"x\":", "manifest")
      try expect("\"name\":\"tokenizer\"", "\"name\":\"tokeniser\"", "section \"tokeniser\"")
      try expect("\"name\":\"vision.embed\"", "\"name\":\"tokenizer\"", "section \"tokenizer\"")
      let hash = try #require(good.range(of: "\"sha256\":\"")).upperBound
      let digest = String(good[hash..<good.index(hash, offsetBy: 64)])
      for other in [
        "", String(digest.dropLast()), digest + "0", digest.uppercased() + "",
        String(digest.dropLast()) + "g",
      ] where other != digest {
        try expect(digest, other, "sha256 of section tokenizer")
      }
      try expect("\"code\":\"plain\"", "\"code\":\"q4\"", "codes of section vision.embed")
      try expect("\"code\":\"q4\"", "\"code\":\"plain\"", "codes of section vision.embed")
      try expect("\"code\":\"q4\"", "\"code\":\"int8\"", "raw length of section vision.embed")
      try expect("\"code\":\"q4\"", "\"code\":\"q5\"", "manifest")
      let tensor = "vision.patch_embed.proj.weight"
      try expect("\"name\":\"\(tensor)\"", "\"name\":\"x\"", "tensors of section vision.embed")
      for shape in ["[24,588]", "[]", "[24,3,14,15]", "[9223372036854775807,3,14,14]", "[24,3,14,-14]"] {
        try expect("[24,3,14,14]", shape, "shape of \(tensor)")
      }
      try expect("\"offset\":0", "\"offset\":64", after: second, "offset or block step of \(tensor)")
      try expect(
        "\"blockStep\":", "\"blockStep\":64,\"x\":", after: second, "offset or block step of \(tensor)")
      try expect("\"errorPPM\":0", "\"errorPPM\":-1", after: second, "errorPPM of \(tensor)")
      // The other way round, taken away, and one too many.
      let entries = good.components(separatedBy: "{\"crc32c\":")
      for list in [
        [entries[0], entries[2], entries[1]] + entries[3...], entries.dropLast().map { $0 },
        entries + [entries[1]],
      ] {
        var text = list.joined(separator: "{\"crc32c\":")
        if text.hasSuffix(",") { text = text.dropLast() + "]}" }
        text = text.replacingOccurrences(of: "]}]}{", with: "]},{")
        parts.text = text
        try parts.write(path)
        let error = failure(path)
        #expect(error?.description.contains("section") == true, "\(String(describing: error))")
      }
    }
  }

  @Test func configsInsideAreChecked() throws {
    try withParts { parts, path in
      let good = parts.text
      parts.text = good.replacingOccurrences(of: "\\\"vocab_size\\\": 40", with: "\\\"vocab_size\\\": 0")
      #expect(parts.text != good)
      try parts.write(path)
      let error = try #require(failure(path))
      #expect(error is FileError && error.description.hasPrefix(path + ": config.json: "))
      parts.text = good.replacingOccurrences(of: "\\\"vocab_size\\\": 40", with: "\\\"vocab_size\\\": 41")
      try parts.write(path)
      #expect(failure(path) is PackedFileError)
    }
  }

  // MARK: sections

  @Test(arguments: [PackedSection.Compression.never, .whereUseful])
  func oneBitOfEverySectionIsFound(compression: PackedSection.Compression) throws {
    try withParts(compression: compression) { parts, path in
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
    try withParts { parts, path in
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
    try withParts(compression: .whereUseful) { parts, path in
      let good = parts.text
      let entry = try #require(try PackedFile(path: path).manifest.sections.first { $0.tensors.isEmpty })
      #expect(entry.encoding == .zstd)
      func open(rawLength: Int) throws -> PackedFileError? {
        parts.text = good.replacingOccurrences(
          of: "\"rawLength\":\(entry.rawLength),", with: "\"rawLength\":\(rawLength),")
        try parts.write(path)
        return failure(path) as? PackedFileError
      }
      let most = entry.storedLength * 256
      let fits = try open(rawLength: most)
      #expect(fits == nil)
      for length in [most + 1, 1 << 26, 1 << 40, Int.max] {
        let error = try open(rawLength: length)
        let field = "raw length of section \(entry.name)"
        #expect(error == .invalid(path: path, field: field, problem: "is \(length)"))
      }
    }
  }

  @Test func theFirstOfSeveralDamagedSectionsIsNamed() throws {
    try withParts { parts, path in
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
    try withParts(compression: .whereUseful) { parts, path in
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

extension PackedParts {
  /// The checksum of a head's first 60 bytes, as it stands in the file.
  static func checksum(_ head: [UInt8]) -> [UInt8] {
    withUnsafeBytes(of: number(Array(head[..<60])).littleEndian) { Array($0) }
  }
}
