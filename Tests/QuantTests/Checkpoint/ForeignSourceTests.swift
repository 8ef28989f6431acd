import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// What people give in place of a checkpoint: each is told what it is, and what to do.
@Suite struct ForeignSourceTests {
  private static let pointer =
    "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935\nsize 6745871232\n"

  /// The line with which packing a folder ends; it must be one of bad or missing input, and leave nothing.
  private func line(_ checkpoint: String, base: String? = nil) throws -> String {
    try withTemporaryFolder { folder in
      let error = try #require(
        reported {
          let packer = ModelPacker(recipe: Recipe(matrices: .q4), compression: .never, threads: 2, tool: "t")
          try packer.pack(try Checkpoint(folder: checkpoint, base: base), to: folder + "/model.vl2q")
        })
      #expect(error.kind == .badData || error.kind == .noInput, "\(error)")
      #expect(!error.hint.isEmpty && !error.description.contains("\n"), "\(error)")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
      return error.description.replacingOccurrences(of: checkpoint, with: "CK")
    }
  }

  /// The line for a copy of the golden checkpoint that `change` changes.
  private func line(
    changing change: (inout CheckpointCopy) throws -> Void = { _ in },
    after: (_ folder: String) throws -> Void = { _ in }
  ) throws -> String {
    try withTemporaryFolder { folder in
      var copy = try CheckpointCopy()
      try change(&copy)
      try copy.write(to: folder + "/ck")
      try after(folder + "/ck")
      return try line(folder + "/ck")
    }
  }

  @Test(arguments: [
    "model-1-of-1.safetensors", "model.safetensors.index.json", "tokenizer.json", "config.json",
    "processor_config.json", "tokenizer_config.json", "LICENSE",
  ])
  func gitLFSPointers(_ name: String) throws {
    #expect(
      try line(after: { try write(Self.pointer.utf8, to: $0 + "/" + name) })
        == "CK/\(name): this is a Git LFS pointer in place of the file; "
        + "fetch the file itself: 'git lfs pull' in its folder")
  }

  @Test(arguments: [
    ("<!DOCTYPE html><html>", "a web page; a server sent it in place of the file: fetch that again"),
    (
      "GGUF\u{3}\u{0}\u{0}\u{0}",
      "a GGUF model; take the publisher's checkpoint, whose weights are *.safetensors"
    ),
    ("\u{1F}\u{8B}", nil),
  ])
  func shardsThatAreOfAnotherKind(_ text: String, line: String?) throws {
    let bytes = line == nil ? [0x1F, 0x8B, 8, 0] : Array(text.utf8)
    #expect(
      try self.line(after: { try write(bytes, to: $0 + "/model-1-of-1.safetensors") })
        == "CK/model-1-of-1.safetensors: this is \(line ?? "an archive; unpack it")")
  }

  @Test func filesAndNames() throws {
    try withTemporaryFolder { folder in
      for (name, bytes, what) in [
        ("m.gguf", "GGUF\u{3}", "this is a GGUF model, not the folder of a checkpoint; take the publisher's"),
        ("m.vl2q", "", "this is a packed model, not the folder of a checkpoint; it can be used as it is"),
        (
          "config.json", "{\"a\": 1}",
          "a JSON text, not the folder of a checkpoint; give the folder that it lies in"
        ),
        ("m.safetensors", "", "a safetensors file, not the folder of a checkpoint; give the folder that"),
        ("notes", "What is this?", "a file, not the folder of a checkpoint; give a folder with config.json"),
        ("lfs", Self.pointer, "'git lfs pull', and give the folder"),
      ] {
        var content = Array(bytes.utf8)
        if name == "m.vl2q" { content = [0x89] + Array("VL2Q\r\n".utf8) + [0x1A] }
        if name == "m.safetensors" { content = CheckpointCopy.shard(header: Array("{}".utf8), []) }
        try write(content, to: folder + "/" + name)
        let line = try line(folder + "/" + name)
        #expect(line.contains(what), "\(line)")
      }
    }
    #expect(
      try line("deepseek-ai/deepseek-vl2-tiny")
        == "CK: no such folder; if that is a model's name at Hugging Face, fetch it "
        + "('hf download CK --local-dir FOLDER') and give FOLDER")
    for path in ["/none/at all", "./none/here", "none", "a/b/c", "a b/c"] {
      #expect(try line(path) == "CK: no such folder; check the path")
    }
  }

  @Test func otherFormats() throws {
    func line(_ files: [String], texts: Bool) throws -> String {
      try withTemporaryFolder { folder in
        if texts { try CheckpointCopy().writeTexts(to: folder) }
        for file in files { try write([], to: folder + "/" + file) }
        return try self.line(folder)
      }
    }
    for texts in [true, false] {
      #expect(
        try line(["vl2-q4.gguf", "README.md"], texts: texts)
          == "CK: holds a GGUF model (vl2-q4.gguf) and no safetensors; "
          + "take the publisher's checkpoint, whose weights are *.safetensors")
      for name in ["pytorch_model-00001-of-00004.bin", "model.pth", "consolidated.00.pt"] {
        #expect(
          try line([name], texts: texts)
            == "CK: holds a PyTorch file (pickle) (\(name)) and no safetensors; save it as safetensors, "
            + "in Python: model.save_pretrained('FOLDER', safe_serialization=True)")
      }
    }
    #expect(
      try line(["README.md"], texts: false).hasPrefix("CK/config.json: no such file; a checkpoint folder"))
  }

  // MARK: - Quantised by others

  private static let matrix = "language.model.layers.0.mlp.up_proj"

  /// A copy in which a matrix is stored as another program does it.
  private func line(quantizedTo parts: [(ending: String, type: String, shape: [Int], size: Int)]) throws
    -> String
  {
    try line(changing: { copy in
      copy.tensors.removeAll { $0.name == Self.matrix + ".weight" }
      for part in parts {
        copy.tensors.append(
          .init(
            name: Self.matrix + part.ending, type: part.type, shape: part.shape,
            bytes: [UInt8](repeating: 0, count: part.size * part.shape.reduce(1, *))))
      }
    })
  }

  @Test func matricesThatOtherProgramsQuantized() throws {
    let qweight = (ending: ".qweight", type: "I32", shape: [128, 12], size: 4)
    let zeros = (ending: ".qzeros", type: "I32", shape: [1, 12], size: 4)
    let scales = (ending: ".scales", type: "F16", shape: [1, 96], size: 2)
    for (parts, method, tensor) in [
      ([qweight, zeros, scales], "AWQ", ".qweight"),
      ([qweight, zeros, scales, (".g_idx", "I32", [128], 4)], "GPTQ", ".g_idx"),
      (
        [(".weight", "U8", [6144, 1], 1), (".weight.absmax", "F32", [192], 4)], "bitsandbytes",
        ".weight.absmax"
      ),
      ([(".weight", "I8", [96, 128], 1), (".SCB", "F32", [96], 4)], "bitsandbytes", ".SCB"),
      ([(".weight", "U32", [96, 16], 4), (".scales", "BF16", [96, 2], 2)], "MLX", ".scales"),
      (
        [(".weight", "F8_E4M3", [96, 128], 1), (".weight_scale_inv", "F32", [1, 1], 4)], "FP8",
        ".weight_scale_inv"
      ),
      ([(".weight_packed", "I32", [96, 16], 4)], "compressed-tensors", ".weight_packed"),
    ] {
      #expect(
        try line(quantizedTo: parts)
          == "CK: the weights are quantised already (\(method)), as the tensor \"\(Self.matrix)\(tensor)\" shows; "
          + "take the checkpoint that it was made from, in BF16, F16 or F32")
    }
  }

  @Test func configsOfQuantizedModels() throws {
    for (key, value, method) in [
      ("quantization_config", ["quant_method": "awq", "bits": 4] as [String: Any], "awq"),
      ("quantization_config", ["load_in_4bit": true], "method not named"),
      ("quantization", ["group_size": 64, "bits": 4], "MLX"),
    ] {
      for isInside in [false, true] {
        let line = try line(changing: { copy in
          try copy.changeJSON("config.json") { config in
            guard isInside else {
              config[key] = value
              return
            }
            var language = config["language_config"] as? [String: Any] ?? [:]
            language[key] = value
            config["language_config"] = language
          }
        })
        #expect(
          line == "CK/config.json: the weights are quantised already (\(method)), as \(key) shows; "
            + "take the checkpoint that it was made from; where the weights are BF16 after all, delete \(key)"
        )
      }
    }
    // Null is none.
    try withTemporaryFolder { folder in
      var copy = try CheckpointCopy()
      try copy.changeJSON("config.json") { $0["quantization_config"] = NSNull() }
      try copy.write(to: folder)
      _ = try Checkpoint(folder: folder)
    }
  }

  // MARK: - Names of others

  @Test(arguments: ["model.", "module.", "base_model.model."]) func prefixedNames(_ prefix: String) throws {
    let line = try line(changing: { copy in
      for index in copy.tensors.indices { copy.tensors[index].name = prefix + copy.tensors[index].name }
    })
    #expect(
      line == "CK: the names of its tensors begin with \"\(prefix)\", as in "
        + "\"\(prefix)vision.patch_embed.proj.weight\"; save it without, in Python: "
        + "{name.removeprefix('\(prefix)'): tensor for name, tensor in tensors.items()}")
  }

  @Test func namesOfAnotherProgram() throws {
    let line = try line(changing: { copy in
      for index in copy.tensors.indices {
        copy.tensors[index].name = copy.tensors[index].name
          .replacingOccurrences(of: "language.model.", with: "model.language_model.")
          .replacingOccurrences(of: "language.lm_head.", with: "lm_head.")
          .replacingOccurrences(of: "vision.", with: "model.vision_tower.")
      }
    })
    #expect(line.hasPrefix("CK: its tensors do not have the published names; one is \""), "\(line)")
    #expect(line.hasSuffix("with the publisher's classes: language.…, vision.…, projector.…"), "\(line)")
  }

  @Test(arguments: [
    ("vision.", "vision tower"), ("projector.", "projector"), ("language.", "language model"),
  ])
  func partsThatAreMissing(_ prefix: String, part: String) throws {
    #expect(
      try line(changing: { $0.tensors.removeAll { $0.name.hasPrefix(prefix) } })
        == "CK: holds no tensor of the \(part) (\(prefix)…); save or fetch the whole model, with all its parts"
    )
  }

  // MARK: - Caches

  @Test func theRootOfACache() throws {
    try withTemporaryFolder { folder in
      let root = folder + "/models--deepseek-ai--deepseek-vl2-nano"
      let copy = try CheckpointCopy()
      try FileManager.default.createDirectory(atPath: root + "/snapshots", withIntermediateDirectories: true)
      #expect(
        try line(root)
          == "CK: a folder of the Hugging Face cache without a snapshot in it; fetch the model again")
      try copy.write(to: root + "/snapshots/abc123")
      for path in [root, root + "/", root + "/snapshots/abc123"] {
        let file = try packed(path, to: folder + "/m.vl2q")
        #expect(file.manifest.origin.source == "deepseek-vl2-nano")
        #expect(try file.manifest.sections == PackedModels.sections("nano-mha"))
        #expect(file.manifest.origin.files.contains { $0.name == "model-1-of-1.safetensors" })
      }
      try copy.write(to: root + "/snapshots/def456")
      #expect(
        try line(root) == "CK: a folder of the Hugging Face cache with 2 snapshots: abc123, def456; "
          + "give one of them: CK/snapshots/NAME")
    }
  }
}
