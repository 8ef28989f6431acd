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
      #expect(throws: PackedFileError.folder(path: folder, isCheckpoint: false)) {
        try PackedFile(path: folder)
      }
      for text in [
        "", "x", "a text of some length, which is longer than a head of 64 bytes is, and no model",
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

  /// What people give in its place is named, with what to do.
  @Test(arguments: [
    (
      "GGUF\u{3}\u{0}\u{0}\u{0}",
      "this is a GGUF model, not a packed model; take the publisher's checkpoint and make"
    ),
    (
      "version https://git-lfs.github.com/spec/v1\n",
      "this is a Git LFS pointer in place of the file, not a packed model; fetch the file itself"
    ),
    ("<!DOCTYPE html><html>", "this is a web page, not a packed model; a server sent it"),
    ("{\"a\": 1}", "this is a JSON text, not a packed model; make one with the packer"),
    ("PK\u{3}\u{4} and more", "this is an archive, not a packed model; unpack it"),
  ])
  func whatIsAnotherFile(_ text: String, line: String) throws {
    try withTemporaryFolder { folder in
      try write(text.utf8, to: folder + "/m.vl2q")
      let error = try #require(failure(folder + "/m.vl2q"))
      #expect(error.kind == .badData && error.description.contains(line), "\(error)")
    }
    let golden = Fixtures.checkpoint("nano-mha")
    #expect(
      failure(golden)?.description
        == "\(golden): this is the folder of a checkpoint, not a packed model; make one with the packer")
    let shard = golden + "/model-00001-of-000001.safetensors"
    #expect(
      failure(shard)?.description.contains(": this is a safetensors file, not a packed model; make") == true)
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
