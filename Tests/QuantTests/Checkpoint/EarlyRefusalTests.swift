import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// Names, shapes, types and the tokeniser are looked at before any weight is read, however large a model is.
@Suite struct EarlyRefusalTests {
  /// A checkpoint of Base's size (55 GB) that takes no room on the disk.
  private func writeBase(_ folder: String, tokenizer: [UInt8], wrong: String? = nil) throws {
    let texts = PublishedSize.base.configFiles
    try write(texts, below: folder + "/")
    try write(tokenizer, to: folder + "/tokenizer.json")
    var header: [String: Any] = [:]
    var end = 0
    for tensor in ModelLayout(try ModelConfig(configFiles: texts)).sections.flatMap(\.tensors) {
      let begin = end
      end += 2 * tensor.count
      let shape = tensor.name == wrong ? tensor.shape.reversed() : tensor.shape
      header[tensor.name] = ["dtype": "BF16", "shape": shape, "data_offsets": [begin, end]] as [String: Any]
    }
    let head = CheckpointCopy.shard(header: [UInt8](try JSONSerialization.data(withJSONObject: header)), [])
    try write(head, to: folder + "/model.safetensors")
    try #require(truncate(folder + "/model.safetensors", head.count + end) == 0)
  }

  private func refusal(_ folder: String) throws -> any ReportableError {
    var error: (any ReportableError)?
    let time = processorTime {
      error = reported {
        let packer = ModelPacker(recipe: Recipe(matrices: .q4), compression: .never, threads: 2, tool: "test")
        try packer.pack(try Checkpoint(folder: folder), to: folder + "/m.vl2q")
      }
    }
    // An emulator takes longer.
    if ProcessInfo.processInfo.environment["VL2_FIXTURES"] == nil { #expect(time < .seconds(1)) }
    return try #require(error)
  }

  @Test func oneWrongShapeOfBase() throws {
    try withTemporaryFolder { folder in
      let name = "language.model.layers.29.mlp.experts.71.down_proj.weight"
      try writeBase(folder, tokenizer: Array(ByteTokenizer.json(firstSpecial: 0).utf8), wrong: name)
      #expect(
        try refusal(folder) as? CheckpointError
          == .wrongShape(
            tensor: name, path: folder + "/model.safetensors", found: [1536, 2560], expected: [2560, 1536]))
    }
  }

  @Test func aTokenizerThatIsNone() throws {
    try withTemporaryFolder { folder in
      try writeBase(folder, tokenizer: Array("{}".utf8))
      #expect(try refusal(folder) is TokenizerError)
    }
  }
}
