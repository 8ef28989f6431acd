import Foundation
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// Folders in published format: what is read and what is refused, with the right words.
@Suite struct CheckpointTests {
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
    let error = try #require(thrown { try packed(checkpoint, to: folder + "/model.vl2q") })
    #expect(!FileManager.default.fileExists(atPath: folder + "/model.vl2q"))
    let reportable = try #require(error as? any ReportableError)
    #expect(!reportable.description.contains("\n"))
    return reportable
  }

  @Test func openingGolden() throws {
    let checkpoint = try Checkpoint(folder: Fixtures.path("golden/checkpoints/nano-mha"))
    #expect(checkpoint.name == "nano-mha")
    #expect(
      checkpoint.configFiles.keys.sorted() == [
        "config.json", "processor_config.json", "tokenizer_config.json",
      ])
    #expect(checkpoint.config.language.hiddenSize == 128)
    #expect(checkpoint.tensorNames.count == 128)
    #expect(checkpoint.license == nil)
    #expect(!checkpoint.isDemonstration)
  }

  @Test func licenseAndDemonstration() throws {
    var copy = try CheckpointCopy()
    try copy.changeJSON("config.json") { $0["vl2_demonstration"] = true }
    copy.texts["LICENSE-MODEL"] = Array("Use it well.".utf8)
    copy.texts["LICENSE"] = Array("First text.".utf8)
    try withTemporaryFolder { folder in
      try copy.write(to: folder)
      let checkpoint = try Checkpoint(folder: folder)
      #expect(checkpoint.license == "First text.\nUse it well.")
      #expect(checkpoint.isDemonstration && checkpoint.demonstrationNote == nil)
    }
  }

  @Test func whatADemonstrationModelSays() throws {
    var copy = try CheckpointCopy()
    try withTemporaryFolder { folder in
      func open(_ mark: Any) throws -> Checkpoint {
        try copy.changeJSON("config.json") { $0["vl2_demonstration"] = mark }
        try copy.write(to: folder)
        return try Checkpoint(folder: folder)
      }
      let said = try open("I know nine pictures.")
      #expect(said.isDemonstration && said.demonstrationNote == "I know nine pictures.")
      #expect(
        try packed(folder, to: folder + "/model.vl2q").manifest.origin.demonstrationNotice
          == "I know nine pictures.")
      #expect(try !open(false).isDemonstration)
      for mark in [1, "", ["x"]] as [Any] {
        let error = try #require(thrown { _ = try open(mark) } as? FileError)
        #expect(error.description.contains("vl2_demonstration"))
      }
    }
  }

  /// What a program prints is one line, whatever the file says.
  @Test func aNoticeIsOneLine() {
    func notice(_ note: String?, _ demonstration: Bool = true) -> String? {
      Manifest.Origin(source: "", tool: "", demonstration: demonstration, demonstrationNote: note)
        .demonstrationNotice
    }
    #expect(notice(nil, false) == nil && notice("I am.", false) == nil)
    #expect(notice(nil)?.contains("demonstration model") == true)
    #expect(notice(" \u{1B}\n") == notice(nil))
    #expect(notice("a\nb\u{1B}[2Jc\u{2028}d") == "a b [2Jc d")
    #expect(notice(String(repeating: "x", count: 5000))?.count == 300)
  }

  // MARK: - Ways to store the same weights

  @Test func shardsLinksAndIndexMakeNoDifference() throws {
    let copy = try CheckpointCopy()
    let golden = try sections(Fixtures.path("golden/checkpoints/nano-mha"))
    try withTemporaryFolder { folder in
      try copy.write(to: folder + "/three", shards: 3)
      #expect(try sections(folder + "/three") == golden)

      // As in a Hugging Face cache: every file of the snapshot is a link into a folder of blobs.
      try FileManager.default.createDirectory(atPath: folder + "/snapshot", withIntermediateDirectories: true)
      for name in try FileManager.default.contentsOfDirectory(atPath: folder + "/three") {
        try FileManager.default.createSymbolicLink(
          atPath: folder + "/snapshot/" + name, withDestinationPath: "../three/" + name)
      }
      #expect(try sections(folder + "/snapshot") == golden)

      try FileManager.default.removeItem(atPath: folder + "/three/model.safetensors.index.json")
      #expect(try sections(folder + "/three") == golden)

      // Without an index, model.safetensors is the whole model whatever lies beside it.
      try copy.writeTexts(to: folder + "/single")
      try CheckpointCopy.write(CheckpointCopy.shard(copy.tensors), to: folder + "/single/model.safetensors")
      try CheckpointCopy.write([1, 2, 3], to: folder + "/single/adapter.safetensors")
      #expect(try sections(folder + "/single") == golden)
    }
  }

  @Test func typesThatHoldTheSameWeights() throws {
    var copy = try CheckpointCopy()
    for index in copy.tensors.indices {
      copy.tensors[index].type = "F32"
      let halves = copy.tensors[index].bytes
      copy.tensors[index].bytes = stride(from: 0, to: halves.count, by: 2).flatMap {
        [0, 0, halves[$0], halves[$0 + 1]]
      }
    }
    try withTemporaryFolder { folder in
      try copy.write(to: folder)
      #expect(try sections(folder) == sections(Fixtures.path("golden/checkpoints/nano-mha")))
    }
  }

  @Test func float16IsWidened() throws {
    var copy = try CheckpointCopy()
    let values: [(UInt16, Float)] = [(0x3C00, 1), (0xC000, -2), (0x0001, 0x1p-24), (0x7BFF, 65504)]
    copy.change("image_newline") { tensor in
      tensor.type = "F16"
      tensor.bytes = (0..<128).flatMap { [UInt8(values[$0 % 4].0 & 255), UInt8(values[$0 % 4].0 >> 8)] }
    }
    try withTemporaryFolder { folder in
      try copy.write(to: folder)
      let file = try packed(folder, to: folder + "/model.vl2q")
      let newline = try file.plain("image_newline", count: 128)
      #expect(Array(newline) == (0..<128).map { values[$0 % 4].1 })
    }
  }

  @Test func optionalKeysHavePublishedDefaults() throws {
    var copy = try CheckpointCopy()
    try copy.changeJSON("config.json") { config in
      for key in [
        "global_view_pos", "tile_tag", "torch_dtype", "transformers_version", "candidate_resolutions",
      ] {
        config[key] = nil
      }
      var language = config["language_config"] as? [String: Any] ?? [:]
      for key in [
        "topk_method", "n_group", "topk_group", "num_key_value_heads", "kv_lora_rank", "q_lora_rank",
      ] {
        language[key] = nil
      }
      config["language_config"] = language
      config["projector_config"] = nil
    }
    try copy.changeJSON("processor_config.json") { processor in
      for key in [
        "patch_size", "downsample_ratio", "image_mean", "image_std", "normalize", "image_token", "pad_token",
      ] {
        processor[key] = nil
      }
    }
    copy.texts["tokenizer_config.json"] = nil
    try withTemporaryFolder { folder in
      try copy.write(to: folder)
      let golden = try Checkpoint(folder: Fixtures.path("golden/checkpoints/nano-mha"))
      #expect(try Checkpoint(folder: folder).config == golden.config)
      let weights = try sections(folder).filter { !$0.tensors.isEmpty }
      #expect(try weights == sections(golden.folder).filter { !$0.tensors.isEmpty })
    }
  }

  // MARK: - Faults

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
      let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
      lengths = (bytes.count, bytes.count - 1000)
      try CheckpointCopy.write(Array(bytes.dropLast(1000)), to: path)
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

  /// A type that is not read does no harm where no forward pass reads it, and neither do further tensors.
  @Test func unusedTensorsAreLeftOut() throws {
    var copy = try CheckpointCopy()
    copy.change("vision.attn_pool.q.weight") { $0.type = "F8_NEW" }
    copy.tensors.append(.init(name: "extra", type: "I8", shape: [3], bytes: [1, 2, 3]))
    try withTemporaryFolder { folder in
      try copy.write(to: folder)
      let file = try packed(folder, to: folder + "/model.vl2q")
      let leftOut = file.manifest.origin.leftOut
      #expect(leftOut.count == 14)
      #expect(leftOut.first == "extra")
      #expect(leftOut.dropFirst().allSatisfy { $0.hasPrefix("vision.attn_pool.") })
    }
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
      try CheckpointCopy.write(CheckpointCopy.shard(copy.tensors), to: folder + "/a.safetensors")
      try CheckpointCopy.write(CheckpointCopy.shard([copy.tensors[0]]), to: folder + "/b.safetensors")
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
      try CheckpointCopy.write(Array(index.utf8), to: $0 + "/model.safetensors.index.json")
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
