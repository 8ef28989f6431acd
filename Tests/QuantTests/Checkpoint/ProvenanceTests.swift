import Foundation
import TestModels
import TestSupport
import Testing
import VL2Quant

/// Which files a packed file was made from: of the checkpoint, of its base model, none of an adapter.
@Suite struct ProvenanceTests {
  /// A golden checkpoint in two folders: weights in `tuned`, all else in `base`.
  private func withTunedModel(_ body: (_ tuned: String, _ base: String, _ folder: String) throws -> Void)
    throws
  {
    try withTemporaryFolder { folder in
      var copy = try CheckpointCopy()
      try copy.write(to: folder + "/tuned")
      for name in copy.texts.keys { try FileManager.default.removeItem(atPath: folder + "/tuned/" + name) }
      copy.texts["LICENSE"] = Array("Of the base.".utf8)
      try copy.writeTexts(to: folder + "/base")
      try body(folder + "/tuned", folder + "/base", folder)
    }
  }

  @Test func filesAndTheirHashes() throws {
    try withTemporaryFolder { folder in
      var copy = try CheckpointCopy()
      copy.texts["LICENSE"] = Array("abc".utf8)
      try copy.write(to: folder + "/model", shards: 3)
      let origin = try packed(folder + "/model", to: folder + "/model.vl2q").manifest.origin
      #expect(origin.base == nil)
      #expect(
        origin.files.map(\.name) == [
          "LICENSE", "config.json", "model-1-of-3.safetensors", "model-2-of-3.safetensors",
          "model-3-of-3.safetensors", "processor_config.json", "tokenizer.json", "tokenizer_config.json",
        ])
      for file in origin.files {
        let length = try FileManager.default.attributesOfItem(atPath: folder + "/model/" + file.name)[.size]
        #expect(file.bytes == length as? Int && !file.base && file.sha256.count == 64)
      }
      // Source: FIPS 180-2, appendix B.1.
      #expect(
        origin.files[0].sha256 == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
    }
  }

  @Test func aBaseModelGivesWhatIsMissing() throws {
    try withTunedModel { tuned, base, folder in
      let error = try #require(thrown { _ = try Checkpoint(folder: tuned) } as? CheckpointError)
      #expect(
        error == .missingFile(path: tuned + "/config.json") && error.description.contains("a base folder"))
      let packer = ModelPacker(recipe: Recipe(matrices: .q4), compression: .never, threads: 2, tool: "test")
      try packer.pack(try Checkpoint(folder: tuned, base: base), to: folder + "/model.vl2q")
      let manifest = try PackedFile(path: folder + "/model.vl2q").manifest
      #expect(try manifest.sections == PackedModels.sections("nano-mha"))
      #expect(manifest.origin.base == "base" && manifest.origin.source == "tuned")
      #expect(manifest.origin.license == "Of the base.")
      #expect(
        manifest.origin.files.map { "\($0.base ? "base" : "tuned")/\($0.name)" } == [
          "tuned/model-1-of-1.safetensors", "base/LICENSE", "base/config.json", "base/processor_config.json",
          "base/tokenizer.json", "base/tokenizer_config.json",
        ])
    }
  }

  /// What the checkpoint has itself counts.
  @Test func aBaseModelReplacesNothing() throws {
    try withTunedModel { tuned, base, folder in
      let own = try CheckpointCopy()
      try own.writeTexts(to: tuned)
      try write(Array("not JSON".utf8), to: base + "/config.json")
      let packer = ModelPacker(recipe: Recipe(matrices: .q4), compression: .never, threads: 2, tool: "test")
      try packer.pack(try Checkpoint(folder: tuned, base: base), to: folder + "/model.vl2q")
      let origin = try PackedFile(path: folder + "/model.vl2q").manifest.origin
      #expect(origin.files.filter(\.base).map(\.name) == ["LICENSE"])
      try FileManager.default.removeItem(atPath: tuned + "/tokenizer.json")
      try FileManager.default.removeItem(atPath: base + "/tokenizer.json")
      #expect(throws: CheckpointError.missingFile(path: base + "/tokenizer.json")) {
        try Checkpoint(folder: tuned, base: base)
      }
    }
  }

  @Test func adaptersAreRefused() throws {
    try withTemporaryFolder { folder in
      let golden = try CheckpointCopy()
      func refused(_ files: [String: [UInt8]], _ path: String) throws {
        let adapter = folder + "/" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: adapter, withIntermediateDirectories: true)
        for (name, bytes) in files { try write(bytes, to: adapter + "/" + name) }
        let error = try #require(thrown { _ = try Checkpoint(folder: adapter) } as? CheckpointError)
        #expect(error == .adapter(path: adapter + path))
        #expect(error.kind == .badData && error.description.contains("merge_and_unload"))
      }
      let config = Array(#"{"peft_type": "LORA", "r": 8}"#.utf8)
      let lora = CheckpointCopy.Tensor(
        name: "base_model.model.language.model.layers.0.self_attn.q_proj.lora_A.weight", type: "F32",
        shape: [1], bytes: [0, 0, 0, 0])
      let weights = try CheckpointCopy.shard([lora])
      try refused(["adapter_config.json": config, "adapter_model.safetensors": weights], "")
      try refused(["adapter_config.json": config, "adapter_model.bin": []], "")
      try refused(golden.texts.merging(["adapter_config.json": config]) { $1 }, "")
      // Saved without merging: the adapter's matrices stand beside the model's.
      try refused(
        golden.texts.merging(["model.safetensors": try CheckpointCopy.shard(golden.tensors + [lora])]) { $1 },
        "/model.safetensors")
      // A merged model may still have its adapter's config.
      var merged = golden
      merged.texts["adapter_config.json"] = config
      try merged.write(to: folder + "/merged")
      #expect(throws: Never.self) { try Checkpoint(folder: folder + "/merged") }
    }
  }

  @Test func aSourceThatChangesWhileItIsPacked() throws {
    try withTemporaryFolder { folder in
      let source = folder + "/model"
      try CheckpointCopy().write(to: source)
      let checkpoint = try Checkpoint(folder: source)
      let packer = ModelPacker(recipe: Recipe(matrices: .q4), compression: .never, threads: 2, tool: "test")
      let shard = source + "/model-1-of-1.safetensors"
      let error = thrown {
        try packer.pack(checkpoint, to: folder + "/model.vl2q") { _, what in
          guard what == "layer.1" else { return }
          let file = FileHandle(forUpdatingAtPath: shard)
          try? file?.seek(toOffset: 100_000)
          file?.write(Data([1, 2, 3]))
        }
      }
      #expect(error as? CheckpointError == .changed(path: shard))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["model"])
    }
  }
}
