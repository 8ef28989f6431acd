import Foundation
import TestModels
import TestSupport
import Testing
import VL2Quant

@Suite struct PackedFileWriterTests {
  private static let old = Array("what was here before".utf8)

  /// A folder with an old file, which has to be there unchanged, and alone, after `body`.
  private func expectOldFile(_ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try write(Self.old, to: path)
      try body(path)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["model.vl2q"])
      #expect(try bytes(of: path) == Self.old)
    }
  }

  /// Puts a device in the place of the file that a writer writes, so that the system refuses as it does on a full
  /// disk.
  private func redirect(writerOf path: String, to device: String) throws {
    let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").compactMap {
      Int32($0)
    }
    let target = try #require(
      descriptors.first {
        let name = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/\($0)")) ?? ""
        return name.hasPrefix(path + ".") && name.hasSuffix(".part")
      })
    let source = open(device, O_WRONLY)
    defer { close(source) }
    #expect(source >= 0 && dup2(source, target) == target)
  }

  @Test func anAbandonedWriterLeavesTheOldFile() throws {
    try expectOldFile { path in
      let writer = try PackedFileWriter(path: path)
      try SyntheticModel.append(to: writer)
      #expect(try bytes(of: path) == Self.old)
    }
  }

  @Test func aFullDiskLeavesTheOldFile() throws {
    try expectOldFile { path in
      let writer = try PackedFileWriter(path: path)
      try redirect(writerOf: path, to: "/dev/full")
      let error = try #require(reported { try SyntheticModel.append(to: writer) })
      #expect(error.kind == .inputOutput)
      #expect(
        error.description
          == "\(path): cannot be written: no space left on device; make room, or give a path where there is some"
      )
    }
    try expectOldFile { path in
      let writer = try PackedFileWriter(path: path)
      try SyntheticModel.append(to: writer)
      try redirect(writerOf: path, to: "/dev/full")
      #expect(throws: PackedFileError.self) {
        try writer.finish(origin: SyntheticModel.origin, recipe: [], configFiles: [:])
      }
    }
  }

  /// What a null device is told is not durable: fsync refuses.
  @Test func aFailedFlushLeavesTheOldFile() throws {
    try expectOldFile { path in
      let writer = try PackedFileWriter(path: path)
      try redirect(writerOf: path, to: "/dev/null")
      try SyntheticModel.append(to: writer)
      let error = try #require(
        reported {
          try writer.finish(origin: SyntheticModel.origin, recipe: [], configFiles: [:])
        })
      #expect(error.kind == .inputOutput && error.description.hasPrefix(path))
    }
  }

  @Test func aTargetThatCannotBeReplaced() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      let writer = try PackedFileWriter(path: path)
      try SyntheticModel.append(to: writer)
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
      #expect(throws: PackedFileError.self) {
        try writer.finish(origin: SyntheticModel.origin, recipe: [], configFiles: [:])
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["model.vl2q"])
      // Found out before any work the next time.
      let error = try #require(reported { _ = try PackedFileWriter(path: path) })
      #expect(error.kind == .inputOutput && error.description.contains("not a regular file"))
    }
  }

  @Test func aFolderThatIsNotThere() throws {
    try withTemporaryFolder { folder in
      for path in [folder + "/none/model.vl2q", folder + "/file/model.vl2q"] {
        try write(Self.old, to: folder + "/file")
        let error = try #require(reported { _ = try PackedFileWriter(path: path) })
        #expect(error.kind == .inputOutput && error.description.hasPrefix(path + ": cannot be written"))
      }
    }
  }

  @Test func theOldFileIsReplacedWhole() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try write(Self.old, to: path)
      try SyntheticModel.write(path)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["model.vl2q"])
      #expect(throws: Never.self) { try PackedFile(path: path).verify() }
    }
  }

  @Test func onlyWhatShrinksIsAFrame() throws {
    var random = SplitMix64(seed: 1)
    let noise = (0..<100_000).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    let text = Array(String(repeating: "the same words again, or nearly; ", count: 20).utf8)
    // Zeros shrink to less than readers accept.
    let zeros = [UInt8](repeating: 0, count: 1 << 20)
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      for (bytes, compression, encoding) in [
        (noise, PackedSection.Compression.whereUseful, SectionEntry.Encoding.raw),
        (text, .whereUseful, .zstd),
        (text, .never, .raw), ([1], .whereUseful, .raw), (zeros, .whereUseful, .raw),
      ] {
        let writer = try PackedFileWriter(path: path)
        try SyntheticModel.append(to: writer, tokenizer: bytes, compression: compression)
        try writer.finish(
          origin: SyntheticModel.origin, recipe: [], configFiles: ["config.json": SyntheticModel.config])
        let file = try PackedFile(path: path)
        #expect(file.manifest.sections[0].encoding == encoding)
        #expect(try file.sectionBytes("tokenizer").elementsEqual(bytes))
        #expect(throws: Never.self) { try file.verify() }
      }
    }
  }

  @Test func aManifestThatIsTooLong() throws {
    try expectOldFile { path in
      let writer = try PackedFileWriter(path: path)
      let text = String(repeating: "x", count: 17 << 20)
      #expect(throws: PackedFileError.self) {
        try writer.finish(origin: SyntheticModel.origin, recipe: [], configFiles: ["config.json": text])
      }
    }
  }
}
