import Foundation
import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Quant
import VL2Run

/// Files that are damaged, cut short or replaced under an open model: an error, and the right answer again afterwards.
@Suite struct DamagedFileTests {
  private func flipByte(_ path: String, in section: String) throws {
    let entry = try #require(try PackedFile(path: path).manifest.sections.first { $0.name == section })
    let handle = try FileHandle(forUpdating: URL(fileURLWithPath: path))
    let place = UInt64(entry.offset + entry.storedLength / 2)
    try handle.seek(toOffset: place)
    let byte = try #require(try handle.read(upToCount: 1))
    try handle.seek(toOffset: place)
    try handle.write(contentsOf: Data([byte[0] ^ 1]))
    try handle.close()
  }

  @Test(
    arguments: [nil, 1, 16] as [Int?], ["layer.1.expert.3", "layer.2", "vision.block.1", "embedding", "head"])
  func flippedByte(slots: Int?, section: String) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try PackedModels.copy("nano-mha", to: path)
      try flipByte(path, in: section)
      var options = RuntimeOptions(threads: 2)
      options.slots = slots
      let model = try Model(path: path, options: options)
      #expect(throws: PackedFileError.damagedSection(path: path, section: section)) { try model.answer() }
      // Nobody looks.
      options.checks = false
      let careless = try Model(path: path, options: options)
      #expect(try careless.answer(tokens: 2).count == 2)
    }
  }

  /// The file loses its second half while a service has it open; later it is back.
  @Test(arguments: [nil, 1, 16] as [Int?], [WeightCode.q4, .bf16])
  func truncatedFile(slots: Int?, weights: WeightCode) throws {
    let expected = try PackedModels.open("nano-mha", weights).answer()
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      let whole = try PackedModels.copy("nano-mha", weights, to: path)
      var options = RuntimeOptions(threads: 2)
      options.slots = slots
      let model = try Model(path: path, options: options)
      for round in 0..<2 {
        // The first time before anything was read, then with everything read.
        #expect(truncate(path, off_t(whole.count / 2)) == 0)
        #expect(
          throws: PackedFileError.length(path: path, actual: whole.count / 2, expected: whole.count),
          "round \(round)"
        ) { try model.answer() }
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        try handle.write(contentsOf: Data(whole))
        try handle.close()
        #expect(try model.answer() == expected, "round \(round)")
      }
      try FileManager.default.removeItem(atPath: path)
      // What is open stays open.
      #expect(try model.answer() == expected)
    }
  }

  /// Truncated between two tokens, under the eyes of the kernels.
  @Test(arguments: [nil, 2] as [Int?]) func truncatedWhileWriting(slots: Int?) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try PackedModels.copy("nano-mha", to: path)
      var options = RuntimeOptions(threads: 2)
      options.slots = slots
      let model = try Model(path: path, options: options)
      var pieces = 0
      #expect(throws: PackedFileError.self) {
        try model.answer(Question("Count to ten.", maxTokens: 200)) { event in
          guard case .text = event else { return }
          pieces += 1
          if pieces == 3 { _ = truncate(path, 4096) }
        }
      }
      #expect(pieces == 3)
    }
  }

  /// However many models are open, each survives its file.
  @Test func manyModelsAtOnce() throws {
    let others = try (0..<100).map { _ in
      let file = try PackedFile(path: try PackedModels.path("nano-mha", .q4))
      try file.surviveFaults()
      return file
    }
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try PackedModels.copy("nano-mha", to: path)
      let model = try Model(path: path, options: RuntimeOptions(threads: 1))
      #expect(truncate(path, 4096) == 0)
      #expect(throws: PackedFileError.self) { try model.answer() }
    }
    withExtendedLifetime(others) {}
  }

  @Test func anotherModelInItsPlace() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      let length = try PackedModels.copy("nano-mha", to: path).count
      let model = try Model(path: path, options: RuntimeOptions(threads: 1))
      var other = try bytes(of: try PackedModels.path("nano-mha", .bf16))
      other += [UInt8](repeating: 0, count: max(0, length - other.count))
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      try handle.write(contentsOf: Data(other.prefix(length)))
      try handle.close()
      #expect(throws: PackedFileError.otherModel(path: path)) { try model.answer() }
    }
  }
}
