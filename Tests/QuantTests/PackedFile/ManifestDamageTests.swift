import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// Manifests that are damaged, and such as have right checksums and lie.
@Suite struct ManifestDamageTests {
  private func failure(_ path: String) -> (any ReportableError)? {
    reported { _ = try PackedFile(path: path) }
  }

  @Test func oneByteOfTheManifest() throws {
    try withPackedParts { parts, path in
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
    try withPackedParts { parts, path in
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
    try withPackedParts { parts, path in
      let root = try jsonObject(parts.text)
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
          parts.text = try jsonText(changed)
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
    try withPackedParts { parts, path in
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
    try withPackedParts { parts, path in
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
}
