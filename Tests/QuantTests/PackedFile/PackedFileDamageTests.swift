import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// Damage to a packed file as a whole and to its head.
@Suite struct PackedFileDamageTests {
  private func failure(_ path: String) -> (any ReportableError)? {
    reported { _ = try PackedFile(path: path) }
  }

  @Test func whatIsNoPackedFile() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      #expect(throws: PackedFileError.missing(path: path)) { try PackedFile(path: path) }
      #expect(failure(path)?.kind == .noInput)
      #expect(throws: PackedFileError.notPacked(path: folder)) { try PackedFile(path: folder) }
      for text in [
        "", "x", "PK\u{3}\u{4} a zip file of some length, which is longer than a head of 64 bytes is",
      ] {
        try write(text.utf8, to: path)
        #expect(throws: PackedFileError.notPacked(path: path)) { try PackedFile(path: path) }
      }
      #expect(failure(path)?.kind == .badData)
      let pipe = folder + "/pipe"
      #expect(mkfifo(pipe, 0o600) == 0)
      #expect(throws: PackedFileError.notPacked(path: pipe)) { try PackedFile(path: pipe) }
    }
  }

  @Test func anotherVersion() throws {
    try withPackedParts { parts, path in
      try parts.write(path, head: parts.head(version: 2))
      #expect(throws: PackedFileError.otherVersion(path: path, version: 2)) { try PackedFile(path: path) }
      #expect(failure(path)?.description.contains("version 2 of the format") == true)
    }
  }

  @Test func cutShortAndTooLong() throws {
    try withPackedParts { parts, path in
      let whole = parts.bytes()
      let manifest = parts.body.count
      for length in [
        8, 63, 64, 65, 4096, 65535, 65536, manifest - 1, manifest, manifest + 1, whole.count - 1,
      ] {
        try write(whole[..<length], to: path)
        let error = PackedFileError.length(
          path: path, actual: length, expected: length < 64 ? 64 : whole.count)
        #expect(throws: error) { try PackedFile(path: path) }
      }
      try write(whole + [0], to: path)
      #expect(failure(path)?.description.contains("1 more than were written") == true)
      #expect(throws: PackedFileError.length(path: path, actual: whole.count + 1, expected: whole.count)) {
        try PackedFile(path: path)
      }
    }
  }

  @Test func numbersOfTheHead() throws {
    try withPackedParts { parts, path in
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
    try withPackedParts { parts, path in
      let whole = parts.bytes()
      for place in 0..<64 {
        var bytes = whole
        bytes[place] ^= 0x10
        try write(bytes, to: path)
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
}
