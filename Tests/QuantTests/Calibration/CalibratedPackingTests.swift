import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// Packing by statistics.
@Suite struct CalibratedPackingTests {
  private static let golden = Fixtures.checkpoint("nano-mha")

  private func packer(
    _ statistics: String?, _ weights: WeightCode = .q4, threads: Int = 2,
    compression: PackedSection.Compression = .never
  ) throws -> ModelPacker {
    var packer = ModelPacker(
      recipe: Recipe(matrices: weights), compression: compression, threads: threads, tool: "test")
    packer.calibration = try statistics.map {
      try PackingCalibration($0, for: try Checkpoint(folder: Self.golden))
    }
    return packer
  }

  private func withStatistics(
    _ change: (inout CalibrationStatistics) -> Void = { _ in },
    _ body: (_ folder: String, _ path: String) throws -> Void
  ) throws {
    try withTemporaryFolder { folder in
      var statistics = try madeUpStatistics(try Checkpoint(folder: Self.golden))
      change(&statistics)
      try CalibrationFile.write(statistics, to: folder + "/s.safetensors")
      try body(folder, folder + "/s.safetensors")
    }
  }

  private func pack(_ packer: ModelPacker, _ path: String) throws -> PackedFile {
    try packer.pack(try Checkpoint(folder: Self.golden), to: path)
    return try PackedFile(path: path)
  }

  @Test func theManifestSaysWhatItWasPackedBy() throws {
    try withStatistics { folder, path in
      let plain = try PackedModels.file("nano-mha", .q4).manifest
      let packed = try pack(try packer(path), folder + "/m.vl2q").manifest
      let hash = try bytes(of: path).withUnsafeBytes { sha256Hexadecimal($0) }
      #expect(
        packed.origin.calibration
          == .init(sha256: hash, pictures: 1, questions: 1, texts: 0, tokens: 300))
      #expect(plain.origin.calibration == nil)
      var (better, worse) = (0, 0)
      for (section, before) in zip(packed.sections, plain.sections) {
        for (tensor, before) in zip(section.tensors, before.tensors) {
          #expect(before.weightedErrorPPM == nil && before.importance == nil)
          let counts = tensor.code != .plain && tensor.code != .f32 && section.name != "embedding"
          #expect((tensor.importance == .own) == counts, "\(tensor.name)")
          #expect((tensor.weightedErrorPPM != nil) == counts, "\(tensor.name)")
          guard let weighted = tensor.weightedErrorPPM else {
            #expect(section.name == "tokenizer" || tensor.errorPPM == before.errorPPM)
            continue
          }
          better += weighted < before.errorPPM ? 1 : 0
          worse += tensor.errorPPM > before.errorPPM ? 1 : 0
        }
      }
      // What counts is nearer, and the plain error is larger: that is why the file has both.
      #expect(better > 10 && worse > 10)
    }
  }

  @Test(arguments: [PackedSection.Compression.never, .whereUseful])
  func theSameBytesWithAnyThreads(_ compression: PackedSection.Compression) throws {
    try withStatistics { folder, path in
      let files = try [1, 2, 3].map { threads in
        _ = try pack(
          try packer(path, .int8, threads: threads, compression: compression), folder + "/\(threads).vl2q")
        return try bytes(of: folder + "/\(threads).vl2q")
      }
      #expect(files[0] == files[1] && files[0] == files[2])
    }
  }

  /// Sections that no statistics speak of have the bytes that they have without any.
  @Test func whatIsNotKnownStaysAsItIs() throws {
    let forgetTower = { (statistics: inout CalibrationStatistics) in
      for (place, input) in statistics.inputs.inputs.enumerated() where input.name.hasPrefix("vision.") {
        statistics.sums[place] = .init(columns: input.columns)
      }
    }
    try withStatistics(forgetTower) { folder, path in
      let packed = try pack(try packer(path), folder + "/m.vl2q").manifest
      for (section, before) in zip(packed.sections, try PackedModels.sections("nano-mha")) {
        let isKnown = section.tensors.contains { $0.importance != nil }
        #expect((section.sha256 == before.sha256) == !isKnown, "\(section.name)")
        #expect(!(isKnown && section.name.hasPrefix("vision.")))
      }
      #expect(packed.sections.contains { $0.tensors.contains { $0.importance == .own } })
    }
  }

  @Test func resumingNeedsTheSameStatistics() throws {
    struct Interruption: Error {}
    try withStatistics { folder, path in
      let model = folder + "/m.vl2q"
      let whole = try pack(try packer(path, threads: 1), folder + "/whole.vl2q")
      var first = try packer(path, threads: 1)
      first.unfinished = .keep
      let count = NSLock()
      nonisolated(unsafe) var checks = 0
      first.check = {
        try count.withLock {
          checks += 1
          if checks == 40 { throw Interruption() }
        }
      }
      #expect(throws: Interruption.self) { _ = try pack(first, model) }
      #expect(FileManager.default.fileExists(atPath: model + ".part"))
      let other = folder + "/other.safetensors"
      try CalibrationFile.write(try madeUpStatistics(try Checkpoint(folder: Self.golden), seed: 2), to: other)
      for statistics in [nil, other] {
        var wrong = try packer(statistics, threads: 1)
        wrong.unfinished = .resume
        let error = #expect(throws: PackedFileError.self) { _ = try pack(wrong, model) }
        #expect(error?.problem.contains("scales are chosen by other statistics") == true)
      }
      var right = try packer(path, threads: 2)
      right.unfinished = .resume
      #expect(try pack(right, model).manifest == whole.manifest)
    }
  }

  /// A reader that knows nothing of statistics ignores them; one that does takes nothing else there.
  @Test func theManifestIsReadStrictly() throws {
    try withStatistics { folder, path in
      let manifest = try pack(try packer(path), folder + "/m.vl2q").manifest
      let text = manifest.encoded()
      #expect(try Manifest(text: text) == manifest)
      for (right, wrong) in [
        (#""importance":"own""#, #""importance":"all""#),
        (#""calibration":{"pictures":1"#, #""calibration":{"pictures":x"#),
      ] {
        var lie = text
        let at = try #require(Data(text).firstRange(of: Data(right.utf8)))
        lie.replaceSubrange(at, with: Array(wrong.utf8))
        #expect(throws: (any Error).self) { try Manifest(text: lie) }
      }
    }
  }
}
