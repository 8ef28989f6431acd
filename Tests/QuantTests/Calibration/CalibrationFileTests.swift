import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// Statistics that are written, read, added up, and those that are refused.
@Suite struct CalibrationFileTests {
  private func model(_ name: String = "nano-mha") throws -> CalibratedModel {
    try CalibratedModel(try Checkpoint(folder: Fixtures.checkpoint(name)))
  }

  private func run(_ inputs: String = "a", done: Int = 3) -> CalibrationRun {
    var run = CalibrationRun(packedFile: "f", code: "q4", inputs: inputs, prompts: 3)
    run.done = done
    run.pictures = 2
    run.answerTokens = 17
    return run
  }

  /// Some sums of every input.
  private func statistics(_ model: CalibratedModel, _ run: CalibrationRun, seed: UInt64 = 1)
    -> CalibrationStatistics
  {
    var statistics = CalibrationStatistics(model, run: run)
    var random = SplitMix64(seed: seed)
    for place in statistics.sums.indices {
      for index in statistics.sums[place].squares.indices {
        statistics.sums[place].squares[index] = Double(random.normal() + 7)
      }
      statistics.sums[place].rows = [40 + place, 50]
    }
    return statistics
  }

  @Test(arguments: ["nano-mha", "nano-mla", "nano-sigmoid"])
  func whatIsWrittenIsRead(_ checkpoint: String) throws {
    let folder = try Scratch()
    let model = try model(checkpoint)
    let written = statistics(model, run())
    try CalibrationFile.write(written, to: folder.path + "/s.safetensors")
    #expect(try CalibrationFile.read(folder.path + "/s.safetensors", for: model) == written)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["s.safetensors"])
    // Another program reads it as safetensors.
    let file = try SafetensorsFile(path: folder.path + "/s.safetensors")
    let head = "language.lm_head.weight"
    #expect(try file.type(of: head) == "F64")
    #expect(try file.shape(of: head) == [2, written.sums(of: head)?.columns])
  }

  @Test func everyMatrixHasAnInput() throws {
    for name in ["nano-mha", "nano-mla", "nano-sigmoid"] {
      let checkpoint = try Checkpoint(folder: Fixtures.checkpoint(name))
      let layout = ModelLayout(checkpoint.config)
      let inputs = MatrixInputs(layout)
      for section in layout.sections where section.name != "embedding" {
        for tensor in section.tensors where tensor.kind == .matrix {
          let place = try #require(inputs.places[tensor.name])
          #expect(inputs.inputs[place].columns == tensor.columns)
        }
      }
      #expect(inputs.places["language.model.embed_tokens.weight"] == nil)
      #expect(inputs.inputs.map(\.matrices.count).reduce(0, +) == inputs.places.count)
    }
  }

  @Test func aPackedFileIsTheSameModel() throws {
    let checkpoint = try model()
    for code in [WeightCode.q4, .bf16] {
      let packed = try CalibratedModel(try PackedModels.file("nano-mha", code))
      #expect(packed.layoutHash == checkpoint.layoutHash)
      #expect(packed.vectorsHash == checkpoint.vectorsHash)
    }
  }

  @Test func runsAddUp() throws {
    let model = try model()
    var sum = statistics(model, run("a"))
    let other = statistics(model, run("b"), seed: 2)
    let first = sum
    try sum.add(other, from: "other")
    #expect(sum.runs.map(\.inputs) == ["a", "b"])
    for (place, one) in sum.sums.enumerated() {
      #expect(one.rows == [2 * (40 + place), 100])
      for index in one.squares.indices {
        #expect(one.squares[index] == first.sums[place].squares[index] + other.sums[place].squares[index])
      }
    }
    #expect(throws: CalibrationError.countedTwice(path: "other")) { try sum.add(other, from: "other") }
  }

  @Test func anUnfinishedRunIsRefused() throws {
    let folder = try Scratch()
    let (path, model) = (folder.path + "/s.safetensors", try model())
    try CalibrationFile.write(statistics(model, run(done: 2)), to: path)
    #expect(throws: CalibrationError.incomplete(path: path, done: 2, prompts: 3)) {
      try CalibrationFile.read(path, for: model)
    }
    #expect(try CalibrationFile.read(path, for: model, partial: true).runs[0].done == 2)
  }

  // MARK: lies

  /// Reads statistics after a change to the values, and gives the error's line.
  private func refusal(_ change: (inout CalibrationStatistics) -> Void) throws -> String {
    let folder = try Scratch()
    let (path, model) = (folder.path + "/s.safetensors", try model())
    var lie = statistics(model, run())
    change(&lie)
    try CalibrationFile.write(lie, to: path)
    return try line { _ = try CalibrationFile.read(path, for: model) }
  }

  private func line(_ body: () throws -> Void) throws -> String {
    do {
      try body()
    } catch let error as any ReportableError {
      return error.line()
    }
    Issue.record("nothing was refused")
    return ""
  }

  @Test func lyingValuesAreRefusedByName() throws {
    let name = "vision.patch_embed.proj.weight"
    #expect(try refusal { $0.sums[0].squares[3] = .nan }.contains("\(name) has nan in column 3 of picture"))
    #expect(try refusal { $0.sums[0].squares[3] = .infinity }.contains("\(name) has inf"))
    #expect(try refusal { $0.sums[0].squares[3] = -1 }.contains("\(name) has -1.0 in column 3"))
    #expect(try refusal { $0.sums[0].rows[1] = 0 }.contains("\(name) has sums of text, but no rows"))
    #expect(try refusal { $0.sums[0].rows[0] = -5 }.contains("\(name) counts -5 rows"))
    #expect(
      try refusal { lie in
        for place in lie.sums.indices { lie.sums[place] = .init(columns: lie.sums[place].columns) }
      }.contains("no row was counted"))
    #expect(try refusal { $0.runs[0].prompts = 0 }.contains("0 prompts"))
    #expect(try refusal { $0.runs[0].pictures = -1 }.contains("runs.pictures"))
    #expect(try refusal { $0.runs = [] }.contains("which runs"))
  }

  @Test func anotherModelIsRefused() throws {
    let folder = try Scratch()
    let (path, model) = (folder.path + "/s.safetensors", try model())
    try CalibrationFile.write(statistics(model, run()), to: path)
    #expect(
      try line { _ = try CalibrationFile.read(path, for: try self.model("nano-mla")) }
        .contains("has other tensors than \"nano-mla\""))
    // The same architecture with other weights.
    var copy = try CheckpointCopy()
    copy.change("vision.norm.weight") { $0.bytes[1] ^= 1 }
    try copy.write(to: folder.path + "/other")
    let other = try CalibratedModel(try Checkpoint(folder: folder.path + "/other"))
    #expect(
      try line { _ = try CalibrationFile.read(path, for: other) }.contains("other weights than \"other\""))
  }

  @Test func damagedFilesAreRefused() throws {
    let folder = try Scratch()
    let (path, model) = (folder.path + "/s.safetensors", try model())
    try CalibrationFile.write(statistics(model, run()), to: path)
    let whole = try bytes(of: path)
    for length in [0, 7, 100, whole.count - 1] {
      try write(Array(whole.prefix(length)), to: path)
      let line = try line { _ = try CalibrationFile.read(path, for: model) }
      #expect(line.contains(path), "\(length) bytes")
    }
    func changed(_ text: String, to other: String) throws -> String {
      let header = String(decoding: whole.prefix(whole.count / 2), as: UTF8.self)
      try #require(header.contains(text) && text.utf8.count == other.utf8.count)
      var bytes = whole
      let at = try #require(Data(whole).firstRange(of: Data(text.utf8)))
      bytes.replaceSubrange(at, with: Array(other.utf8))
      try write(bytes, to: path)
      return try line { _ = try CalibrationFile.read(path, for: model) }
    }
    #expect(try changed("vl2-calibration", to: "vl3-calibration").contains("does not say that it is"))
    #expect(try changed(#""version":"1""#, to: #""version":"2""#).contains("its version is \"2\""))
    #expect(
      try changed(#""language.lm_head.weight""#, to: #""language.lm_heat.weight""#)
        .contains(#""language.lm_heat.weight" is no input of the model"#))
    #expect(try changed(#""dtype":"F64""#, to: #""dtype":"I64""#).contains("not F64"))
  }
}

/// A folder that goes with its owner.
private final class Scratch {
  let path = NSTemporaryDirectory() + "vl2-\(UUID().uuidString)"

  init() throws { try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true) }

  deinit { try? FileManager.default.removeItem(atPath: path) }
}
