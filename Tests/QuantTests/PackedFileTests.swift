import Foundation
import SystemSupport
import TestSupport
import Testing
import VL2Quant

/// Writing a packed file and reading it again.
@Suite struct PackedFileTests {
  @Test(arguments: [PackedSection.Compression.never, .whereUseful])
  func readsWhatWasWritten(compression: PackedSection.Compression) throws {
    let fixture = try PackedFileFixture(compression: compression)
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try fixture.write(to: path)
      let file = try PackedFile(path: path)
      #expect(file.manifest.origin == PackedFileFixture.origin)
      #expect(file.manifest.recipe == PackedFileFixture.recipe)
      #expect(file.manifest.configFiles == fixture.texts)
      #expect(try file.config == ModelConfig(configFiles: fixture.texts))
      #expect(file.manifest.sections.map(\.name) == fixture.layout.sections.map(\.name))
      #expect(file.manifest.sections.first?.encoding == .zstd)
      for section in fixture.layout.sections {
        let bytes = try file.sectionBytes(section.name)
        #expect(Array(bytes) == fixture.bytes[section.name])
        #expect(try file.withSectionBytes(section.name) { Array($0) } == fixture.bytes[section.name])
        #expect(UInt(bitPattern: bytes.baseAddress) % 64 == 0)
        // The same memory again: it lives as long as the file.
        #expect(try file.sectionBytes(section.name).baseAddress == bytes.baseAddress)
        file.willNeed(section: section.name)
        file.discard(section: section.name)
        #expect(Array(bytes) == fixture.bytes[section.name])
        for tensor in section.tensors {
          #expect(file.contains(tensor.name))
          let expected = try #require(fixture.values[tensor.name])
          if tensor.kind == .plain {
            #expect(try Array(file.plain(tensor.name, count: tensor.count)) == expected)
          } else {
            var matrix = try file.matrix(tensor.name, rows: tensor.rows, columns: tensor.columns)
            #expect(UInt(bitPattern: matrix.blocks) % 64 == 0)
            #expect(PackedFileFixture.decode(&matrix) == expected)
          }
        }
      }
      try file.verify()
    }
  }

  @Test func bothAttentionsAndBothRoutersHaveALayout() throws {
    var files = PackedFileFixture.files
    files.language.merge([
      "use_mla": "true", "q_lora_rank": "8", "kv_lora_rank": "8", "qk_nope_head_dim": "4",
      "qk_rope_head_dim": "4",
      "v_head_dim": "6", "topk_method": #""noaux_tc""#, "scoring_func": #""sigmoid""#, "n_group": "1",
      "topk_group": "1",
    ]) { $1 }
    let fixture = try PackedFileFixture(files: files)
    try withTemporaryFolder { folder in
      try fixture.write(to: folder + "/model")
      let file = try PackedFile(path: folder + "/model")
      try file.verify()
      let attention = "language.model.layers.0.self_attn."
      for (name, rows, columns) in [
        ("q_a_proj", 8, 16), ("q_b_proj", 16, 8), ("kv_a_proj_with_mqa", 12, 16), ("kv_b_proj", 20, 8),
        ("o_proj", 16, 12),
      ] { _ = try file.matrix(attention + name + ".weight", rows: rows, columns: columns) }
      _ = try file.plain("language.model.layers.1.mlp.gate.e_score_correction_bias", count: 2)
    }
  }

  /// The layout knows every tensor of the published-format checkpoints, but those that no forward pass uses.
  @Test func theLayoutIsThatOfACheckpoint() throws {
    let checkpoint = try Checkpoint(folder: Fixtures.path("golden/checkpoints/nano-mha"))
    let layout = ModelLayout(checkpoint.config)
    let known = layout.sections.flatMap(\.tensors).map(\.name)
    #expect(Set(known).count == known.count)
    let unused = checkpoint.tensorNames.filter { !known.contains($0) }
    #expect(unused.allSatisfy { $0.hasPrefix("vision.attn_pool.") })
    #expect(known.count + unused.count == checkpoint.tensorNames.count)
  }

  @Test func whatIsNotThereIsAnError() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try PackedFileFixture().write(to: path)
      let file = try PackedFile(path: path)
      let norm = "language.model.norm.weight"
      let head = "language.lm_head.weight"
      #expect(!file.contains("language.model.norm.bias"))
      #expect(throws: PackedFileError.self) { try file.sectionBytes("layer.2") }
      #expect(throws: PackedFileError.self) { try file.withSectionBytes("layer.2") { _ in } }
      #expect(throws: PackedFileError.shape(path: path, tensor: norm)) { try file.plain(norm, count: 17) }
      #expect(throws: PackedFileError.shape(path: path, tensor: head)) { try file.plain(head, count: 640) }
      #expect(throws: PackedFileError.shape(path: path, tensor: "x")) { try file.plain("x", count: 1) }
      #expect(throws: PackedFileError.shape(path: path, tensor: head)) {
        try file.matrix(head, rows: 16, columns: 40)
      }
      #expect(throws: PackedFileError.shape(path: path, tensor: norm)) {
        try file.matrix(norm, rows: 16, columns: 1)
      }
      #expect(throws: PackedFileError.shape(path: path, tensor: "x")) {
        try file.matrix("x", rows: 1, columns: 1)
      }
    }
  }

  @Test func progressGoesFromZeroToOne() throws {
    final class Seen: @unchecked Sendable {
      let lock = NSLock()
      var shares: [Double] = []
    }
    try withTemporaryFolder { folder in
      try PackedFileFixture().write(to: folder + "/model")
      let seen = Seen()
      try PackedFile(path: folder + "/model").verify { share in
        seen.lock.withLock { seen.shares.append(share) }
      }
      #expect(seen.shares == seen.shares.sorted())
      #expect(seen.shares.last == 1)
    }
  }

  @Test func unpackingFromManyThreadsGivesOneMemory() throws {
    try withTemporaryFolder { folder in
      try PackedFileFixture().write(to: folder + "/model")
      for _ in 0..<20 {
        let file = try PackedFile(path: folder + "/model")
        let addresses = LockedSet()
        DispatchQueue.concurrentPerform(iterations: 16) { _ in
          addresses.insert(UInt(bitPattern: (try? file.sectionBytes("tokenizer"))?.baseAddress))
        }
        #expect(addresses.count == 1)
        #expect(!addresses.contains(0))
      }
    }
  }

  /// Same input, same file: order of threads, time and place leave no trace.
  @Test func writingTwiceGivesTheSameBytes() throws {
    try withTemporaryFolder { folder in
      try PackedFileFixture(compression: .whereUseful).write(to: folder + "/one")
      try PackedFileFixture(compression: .whereUseful).write(to: folder + "/two")
      #expect(try RawPackedFile(path: folder + "/one").bytes == RawPackedFile(path: folder + "/two").bytes)
    }
  }

  /// What docs/FORMAT.md says of where things lie.
  @Test func theFileIsLaidOutAsDocumented() throws {
    try withTemporaryFolder { folder in
      try PackedFileFixture().write(to: folder + "/model")
      let raw = try RawPackedFile(path: folder + "/model")
      #expect(Array(raw.bytes[..<8]) == [0x89, 0x56, 0x4C, 0x32, 0x51, 0x0D, 0x0A, 0x1A])
      #expect(raw.number(at: 8) == 1)
      #expect(raw.number(at: 16) % 64 == 0)
      #expect(raw.number(at: 16) + raw.number(at: 24) == raw.bytes.count)
      #expect(raw.number(at: 32) == raw.bytes.count)
      #expect(raw.number(at: 40) == Int(RawPackedFile.crc32c(Array(raw.manifest.utf8))))
      var end = 64
      for section in try PackedFile(path: folder + "/model").manifest.sections {
        #expect(section.offset == (end + 65535) / 65536 * 65536)
        end = section.offset + section.storedLength
        #expect(section.crc32c == RawPackedFile.crc32c(Array(raw.bytes[section.offset..<end])))
      }
      #expect(raw.manifestOffset == (end + 63) / 64 * 64)
    }
  }
}

/// The vectors of RFC 3720, B.4, and the processor's instruction against the table.
@Suite struct ChecksumTests {
  @Test func knownVectors() {
    let vectors: [([UInt8], UInt32)] = [
      ([UInt8](repeating: 0, count: 32), 0x8A91_36AA), ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
      (Array(0..<32), 0x46DD_794E), ((0..<32).reversed(), 0x113F_DB5C),
      (Array("123456789".utf8), 0xE306_9283),
      ([], 0),
    ]
    for (bytes, expected) in vectors {
      #expect(vl2_crc32c(0, bytes, bytes.count) == expected)
      #expect(vl2_crc32c_table(0, bytes, bytes.count) == expected)
    }
  }

  @Test func instructionAndTableAgreeAtAnyLengthAndPlace() {
    var random = SplitMix64(seed: 3)
    let bytes = (0..<300).map { _ in UInt8(truncatingIfNeeded: random.next()) }
    bytes.withUnsafeBytes { bytes in
      for start in 0..<9 {
        for count in 0..<(300 - start) {
          let at = bytes.baseAddress! + start
          let table = vl2_crc32c_table(0, at, count)
          #expect(vl2_crc32c(0, at, count) == table)
          // In two pieces.
          #expect(vl2_crc32c(vl2_crc32c(0, at, count / 3), at + count / 3, count - count / 3) == table)
        }
      }
    }
  }
}

private final class LockedSet: @unchecked Sendable {
  private let lock = NSLock()
  private var values: Set<UInt> = []
  func insert(_ value: UInt) { _ = lock.withLock { values.insert(value) } }
  func contains(_ value: UInt) -> Bool { lock.withLock { values.contains(value) } }
  var count: Int { lock.withLock { values.count } }
}
