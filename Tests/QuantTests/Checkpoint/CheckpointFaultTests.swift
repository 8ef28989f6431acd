import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base

/// Folders in published format that are refused, with the right words.
@Suite struct CheckpointFaultTests {
  private static let matrix = "language.model.layers.1.mlp.experts.3.up_proj.weight"

  /// Opens and packs what `copy` writes, which must fail, and returns the error.
  private func failure(
    _ copy: CheckpointCopy, shards: Int = 1, after change: (String) throws -> Void = { _ in }
  )
    throws -> any ReportableError
  {
    try withTemporaryFolder { folder in
      try copy.write(to: folder + "/model", shards: shards)
      try change(folder + "/model")
      return try failure(of: folder + "/model", in: folder)
    }
  }

  private func failure(of checkpoint: String, in folder: String) throws -> any ReportableError {
    let error = try #require(reported { try packed(checkpoint, to: folder + "/model.vl2q") })
    #expect(!FileManager.default.fileExists(atPath: folder + "/model.vl2q"))
    #expect(!error.description.contains("\n"))
    return error
  }

  @Test func missingShard() throws {
    let error = try failure(try CheckpointCopy(), shards: 3) {
      try FileManager.default.removeItem(atPath: $0 + "/model-2-of-3.safetensors")
    }
    #expect(error.kind == .noInput)
    #expect(error.description.contains("/model-2-of-3.safetensors: no such file"))
    #expect(error.description.contains("model.safetensors.index.json names it"))
  }

  @Test func linkToNothing() throws {
    let error = try failure(try CheckpointCopy(), shards: 2) {
      try FileManager.default.removeItem(atPath: $0 + "/model-1-of-2.safetensors")
      try FileManager.default.createSymbolicLink(
        atPath: $0 + "/model-1-of-2.safetensors", withDestinationPath: "../blobs/gone")
    }
    #expect(error.kind == .noInput)
    #expect(error.description.contains("/model-1-of-2.safetensors"))
  }

  @Test func noWeightsAtAll() throws {
    try withTemporaryFolder { folder in
      try CheckpointCopy().writeTexts(to: folder)
      let error = try failure(of: folder, in: folder)
      #expect(error.kind == .noInput)
      #expect(error.description.contains("/model.safetensors: no such file"))
    }
  }

  @Test(arguments: ["config.json", "processor_config.json", "tokenizer.json"])
  func missingText(_ name: String) throws {
    var copy = try CheckpointCopy()
    copy.texts[name] = nil
    let error = try failure(copy)
    #expect(error.kind == .noInput)
    #expect(error.description.contains("/\(name): no such file"))
  }

  @Test func truncatedShard() throws {
    var lengths = (0, 0)
    let error = try failure(try CheckpointCopy(), shards: 2) { folder in
      let path = folder + "/model-2-of-2.safetensors"
      let bytes = try bytes(of: path)
      lengths = (bytes.count, bytes.count - 1000)
      try write(Array(bytes.dropLast(1000)), to: path)
    }
    #expect(error.kind == .badData)
    #expect(error.description.contains("/model-2-of-2.safetensors: holds \(lengths.1) bytes"))
    #expect(error.description.contains("promises \(lengths.0)"))
  }

  @Test func missingTensor() throws {
    var copy = try CheckpointCopy()
    copy.tensors.removeAll { $0.name == Self.matrix }
    let error = try failure(copy)
    #expect(error.kind == .badData)
    #expect(error.description.contains("no shard holds the tensor \(Self.matrix)"))
  }

  @Test func wrongShape() throws {
    var copy = try CheckpointCopy()
    copy.change(Self.matrix) { $0.shape = [128, 96] }
    let error = try failure(copy)
    #expect(error.kind == .badData)
    #expect(
      error.description.contains("\(Self.matrix) has the shape [128, 96], but config.json asks for [96, 128]")
    )
  }

  @Test(arguments: ["I16", "F8_NEW"])
  func wrongType(_ type: String) throws {
    var copy = try CheckpointCopy()
    copy.change(Self.matrix) { $0.type = type }
    let error = try failure(copy)
    #expect(error.kind == .badData)
    #expect(error.description.contains("\(Self.matrix) is of type \"\(type)\""))
  }

  @Test(arguments: [[0x80, 0x7F], [0x80, 0xFF], [0xC0, 0x7F]] as [[UInt8]])
  func weightThatIsNotFinite(_ bits: [UInt8]) throws {
    var copy = try CheckpointCopy()
    copy.change(Self.matrix) { $0.bytes.replaceSubrange(5000..<5002, with: bits) }
    var error = try failure(copy)
    #expect(error.kind == .badData)
    #expect(error.description.contains("\(Self.matrix) holds an infinite weight or one that is not a number"))

    copy = try CheckpointCopy()
    copy.change("view_seperator") { $0.bytes.replaceSubrange(0..<2, with: bits) }
    error = try failure(copy)
    #expect(error.description.contains("view_seperator holds"))
  }

  @Test func sameTensorInTwoShards() throws {
    let copy = try CheckpointCopy()
    try withTemporaryFolder { folder in
      try copy.writeTexts(to: folder)
      try write(CheckpointCopy.shard(copy.tensors), to: folder + "/a.safetensors")
      try write(CheckpointCopy.shard([copy.tensors[0]]), to: folder + "/b.safetensors")
      let error = try failure(of: folder, in: folder)
      #expect(error.description.contains("/b.safetensors: holds the tensor \"\(copy.tensors[0].name)\""))
      #expect(error.description.contains("/a.safetensors holds too"))
    }
  }

  @Test(arguments: [
    (#"{"weight_map":{"a":"../model-1-of-1.safetensors"}}"#, "is not a file of this folder"),
    (#"{"weight_map":{"a":""}}"#, "is not a file of this folder"),
    (#"{"weight_map":{"a":"b\u0000.safetensors"}}"#, "is not a file of this folder"),
    (#"{"weight_map":{"a":7}}"#, "gives \"a\" 7 where a file was expected"),
    (#"{"weight_map":{"never":"model-1-of-1.safetensors"}}"#, "does not hold the tensor \"never\""),
    (#"{"weight_map":{}}"#, "names no tensor"), (#"{}"#, "weight_map is missing"),
    (#"{"weight_map":"#, "not valid JSON"),
  ])
  func indexThatIsWrong(_ index: String, part: String) throws {
    let error = try failure(try CheckpointCopy()) {
      try write(Array(index.utf8), to: $0 + "/model.safetensors.index.json")
    }
    #expect(error.kind == .badData)
    #expect(error.description.contains(part), "\(error)")
  }

  @Test func anotherModel() throws {
    var copy = try CheckpointCopy()
    try copy.changeJSON("config.json") { $0["architectures"] = ["DeepseekOCRForCausalLM"] }
    var error = try failure(copy)
    #expect(error.kind == .badData)
    #expect(error.description.contains("DeepSeek-OCR"))

    try copy.changeJSON("config.json") {
      $0["architectures"] = ["LlamaForCausalLM"]
      $0["model_type"] = "llama"
    }
    error = try failure(copy)
    #expect(error.kind == .badData)
    #expect(error.description.contains("not DeepSeek-VL2"))
  }

  @Test func configThatIsNotText() throws {
    var copy = try CheckpointCopy()
    copy.texts["config.json"] = [0xFF, 0xFE, 0x7B]
    #expect(try failure(copy).description.contains("/config.json: not valid UTF-8"))
  }

  /// A pipe in the place of a shard is refused, where opening it would wait for ever.
  @Test func pipeInsteadOfShard() throws {
    let error = try failure(try CheckpointCopy()) {
      try FileManager.default.removeItem(atPath: $0 + "/model-1-of-1.safetensors")
      #expect(mkfifo($0 + "/model-1-of-1.safetensors", 0o600) == 0)
    }
    #expect(error.kind == .inputOutput)
    #expect(error.description.contains("not a regular file"))
  }
}
