import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// Folders in published format: what is read, however it is stored.
@Suite struct CheckpointTests {
  /// The sections that packing a folder gives.
  private func sections(_ checkpoint: String) throws -> [SectionEntry] {
    try withTemporaryFolder { try packed(checkpoint, to: $0 + "/model.vl2q").manifest.sections }
  }

  @Test func openingGolden() throws {
    let checkpoint = try Checkpoint(folder: Fixtures.checkpoint("nano-mha"))
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

  /// A licence is a text of any kind.
  @Test(arguments: ["[1] Use it well.", "<!DOCTYPE html><html>Use it well.</html>", "%PDF-1.7"])
  func licenseThatLooksLikeSomethingElse(_ text: String) throws {
    var copy = try CheckpointCopy()
    copy.texts["LICENSE"] = Array(text.utf8)
    try withTemporaryFolder { folder in
      try copy.write(to: folder)
      #expect(try Checkpoint(folder: folder).license == text)
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
    let golden = try PackedModels.sections("nano-mha")
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
      try write(CheckpointCopy.shard(copy.tensors), to: folder + "/single/model.safetensors")
      try write([1, 2, 3], to: folder + "/single/adapter.safetensors")
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
      #expect(try sections(folder) == PackedModels.sections("nano-mha"))
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
      let golden = try Checkpoint(folder: Fixtures.checkpoint("nano-mha"))
      #expect(try Checkpoint(folder: folder).config == golden.config)
      let weights = try sections(folder).filter { !$0.tensors.isEmpty }
      #expect(try weights == PackedModels.sections("nano-mha").filter { !$0.tensors.isEmpty })
      #expect(!weights.isEmpty)
    }
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
}
