import Foundation
import TestSupport
import Testing
import VL2Base

@Suite struct FileKindTests {
  private static let beginnings: [(FileKind, [UInt8])] = [
    (.jpeg, [0xFF, 0xD8, 0xFF, 0xE0]), (.png, [0x89] + text("PNG\r\n")), (.webp, text("RIFF....WEBPVP8 ")),
    (.gif, text("GIF89a")), (.avif, [0, 0, 0, 24] + text("ftypavif")),
    (.heic, [0, 0, 0, 24] + text("ftypmif1")), (.bmp, text("BM") + [9, 9, 9, 0, 0, 0, 0, 0]),
    (.tiff, [0x49, 0x49, 42, 0]), (.tiff, [0x4D, 0x4D, 0, 42]),
    (.jpegXL, [0xFF, 0x0A]), (.jpeg2000, [0xFF, 0x4F, 0xFF, 0x51]), (.photoshop, text("8BPS")),
    (.svg, text("<svg xmlns")), (.svg, text("<?xml version=\"1.0\"?>")), (.pdf, text("%PDF-1.7")),
    (.mp4, [0, 0, 0, 24] + text("ftypisom")), (.mp4, [0, 0, 0, 8] + text("wide")),
    (.matroska, [0x1A, 0x45, 0xDF, 0xA3]), (.avi, text("RIFF....AVI LIST")), (.mpeg, [0, 0, 1, 0xBA]),
    (.mpeg, [0x47] + [UInt8](repeating: 9, count: 187) + [0x47]), (.mpeg, [0, 0, 0, 1, 0x67, 0x42]),
    (.flashVideo, text("FLV") + [1, 5]),
    (.webPage, text("<!DOCTYPE html><html>")), (.webPage, ByteOrderMark.utf8 + text("\r\n <HTML>")),
    (.webPage, text("<?xml version=\"1.0\"?>\n<!DOCTYPE html PUBLIC \"-\">\n<html xmlns=\"\">")),
    (.multipart, text("--frame\r\nContent-Type: image/jpeg\r\n\r\n")),
    (.multipart, text("\r\n--frame\nContent-Length: 7\n\n")), (.response, text("HTTP/1.1 200 OK\r\n")),
    (.packedModel, [0x89] + text("VL2Q\r\n") + [0x1A]),
    (.safetensors, [0x90, 1, 0, 0, 0, 0, 0, 0] + text("{\"a")),
    // Lengths whose bytes are those with which JPEG and JPEG XL begin.
    (.safetensors, [0xFF, 0xD8, 1, 0, 0, 0, 0, 0] + text("{\"a")),
    (.safetensors, [0xFF, 0x0A, 0, 0, 0, 0, 0, 0] + text("{\"a")),
    (.gguf, text("GGUF") + [3, 0, 0, 0]), (.pyTorch, [0x80, 2, 0x8A, 0x0A]),
    (.pyTorch, [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 26) + text("archive/data.pkl")),
    (.hdf5, [0x89] + text("HDF\r\n") + [0x1A, 0x0A]),
    (.lfsPointer, text("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 6745871232\n")),
    (.json, text("{\"error\": \"not found\"}")), (.json, ByteOrderMark.utf8 + text("\n[\n  7\n]")),
    (.archive, [0x1F, 0x8B, 8]), (.archive, [0x50, 0x4B, 3, 4] + [UInt8](repeating: 0, count: 60)),
    (.archive, [UInt8](repeating: 65, count: 257) + text("ustar")),
  ]

  private static func text(_ text: String) -> [UInt8] { Array(text.utf8) }

  @Test func kindsByTheirFirstBytes() {
    for (kind, bytes) in Self.beginnings {
      #expect(FileKind(bytes) == kind)
      // What follows changes nothing.
      let space: UInt8 = kind == .webPage || kind == .svg || kind == .json ? 0x20 : 7
      #expect(FileKind(bytes + [UInt8](repeating: space, count: 5000)) == kind)
    }
    #expect(Set(Self.beginnings.map(\.0)) == Set(FileKind.allCases))
  }

  @Test(arguments: [
    "", "-", "{", "What is in the picture?", "-- no header", "{what}", "[x]", "version 2", "PK", "<p>",
  ])
  func unknownKinds(_ beginning: String) {
    #expect(FileKind(Array(beginning.utf8)) == nil)
    #expect(FileKind([UInt8](repeating: 0, count: 4096)) == nil)
  }

  /// Nothing that a file begins with ends the program.
  @Test func anyBeginning() {
    var random = SplitMix64(seed: 19)
    for (_, bytes) in Self.beginnings {
      for length in 0...bytes.count {
        var bytes = Array(bytes.prefix(length))
        _ = FileKind(bytes)
        if !bytes.isEmpty { bytes[Int.random(in: 0..<length, using: &random)] ^= 0xFF }
        _ = FileKind(bytes)
      }
    }
  }

  @Test func filesOnTheDisk() throws {
    try withTemporaryFolder { folder in
      try write("%PDF-1.7\n".utf8, to: folder + "/a")
      #expect(FileKind.ofFile(folder + "/a") == .pdf)
      #expect(FileKind.ofFile(folder + "/none") == nil && FileKind.ofFile(folder) == nil)
    }
  }
}
