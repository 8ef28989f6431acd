import Foundation
import SIMDKernels
import TestModels
import TestSupport
import Testing
import VL2Quant

/// From a checkpoint folder to a packed file and back.
@Suite struct PackingTests {
  private static let golden = ["nano-mha", "nano-outliers"].map(Fixtures.checkpoint)

  @Test(arguments: [WeightCode.q4, .int8, .bf16])
  func threadsMakeNoDifference(_ code: WeightCode) throws {
    try withTemporaryFolder { folder in
      try packed(Self.golden[0], to: folder + "/1.vl2q", code, threads: 1)
      for threads in [2, 3, 16] {
        try packed(Self.golden[0], to: folder + "/n.vl2q", code, threads: threads)
        let same = try bytes(of: folder + "/1.vl2q") == bytes(of: folder + "/n.vl2q")
        #expect(same)
      }
    }
  }

  /// Raw bytes are the same whatever machine packs: these digests were written down on x86-64.
  @Test func sameBytesOnEveryMachine() throws {
    let sections = try PackedModels.sections("nano-mha")
    func digest(_ name: String) -> String? { sections.first { $0.name == name }?.sha256 }
    #expect(digest("vision.block.1") == "679b75d2380f09dd03ae55e5a1a1a09d74d4139c0a98eb81ee5cc1a1e6828c7e")
    #expect(digest("embedding") == "3e333518aae4a7cc9ba2613d9dc54f2f5aa0456f3047fc10124470c0ecb8f72b")
    #expect(digest("layer.1.expert.3") == "718f5f0e0923a73b501a6d7587336584d7240232edc7dd44ee09e756590156b2")
  }

  @Test func codesFollowTheRecipe() throws {
    let sections = try PackedModels.sections("nano-mha")
    #expect(sections.count == 28)
    for section in sections {
      for tensor in section.tensors {
        let expected: WeightCode =
          switch tensor.name {
          case "language.model.embed_tokens.weight": .int8
          case _ where tensor.name.hasSuffix(".mlp.gate.weight"): .f32
          case _ where tensor.shape.count == 1 || tensor.name == "vision.pos_embed": .plain
          default: .q4
          }
        #expect(tensor.code == expected, "\(tensor.name)")
      }
    }
  }

  @Test(arguments: ["nano-mha", "nano-outliers"])
  func measuredErrors(_ checkpoint: String) throws {
    for (code, limit) in [(WeightCode.q4, 76_400), (.int8, 7000), (.bf16, 0)] {
      let sections = try PackedModels.sections(checkpoint, code)
      #expect(sections.count == 28)
      for section in sections {
        for tensor in section.tensors {
          let loses = tensor.code == .q4 || tensor.code == .int8
          #expect(loses ? (1...limit).contains(tensor.errorPPM) : tensor.errorPPM == 0, "\(tensor.name)")
        }
      }
    }
  }

  @Test func recipeThatNamesNoCode() throws {
    try withTemporaryFolder { folder in
      let packer = ModelPacker(
        recipe: Recipe(rules: [RecipeRule(pattern: "vision.*", code: .q4)]), compression: .never, threads: 1,
        tool: "test")
      let error = thrown {
        try packer.pack(try Checkpoint(folder: Self.golden[0]), to: folder + "/model.vl2q")
      }
      #expect(error as? PackingError == .noCode(tensor: "projector.layers.0.weight"))
      let left = try FileManager.default.contentsOfDirectory(atPath: folder)
      #expect(left == [])
    }
  }

  @Test func recipeWithACodeForVectors() throws {
    try withTemporaryFolder { folder in
      let packer = ModelPacker(
        recipe: Recipe(matrices: .plain), compression: .never, threads: 1, tool: "test")
      let error = thrown {
        try packer.pack(try Checkpoint(folder: Self.golden[0]), to: folder + "/model.vl2q")
      }
      #expect(error as? PackingError == .unsuitableCode(section: "vision.embed"))
    }
  }

  @Test func manifestSaysWhereItCameFrom() throws {
    try withTemporaryFolder { folder in
      var copy = try CheckpointCopy()
      copy.texts["LICENSE"] = Array("Use it well.\n".utf8)
      try copy.write(to: folder + "/my-model")
      let manifest = try packed(folder + "/my-model/", to: folder + "/model.vl2q").manifest
      #expect(manifest.origin.source == "my-model")
      #expect(manifest.origin.tool == "test")
      #expect(manifest.origin.license == "Use it well.\n")
      #expect(manifest.origin.leftOut.contains("vision.attn_pool.latent"))
      #expect(manifest.recipe == Recipe(matrices: .q4).rules)
      #expect(
        manifest.configFiles.mapValues { Array($0.utf8) } == copy.texts.filter { $0.key.contains("config") })
    }
  }

  @Test func endingEarlyLeavesNothing() throws {
    struct Enough: Error {}
    try withTemporaryFolder { folder in
      for threads in [1, 3] {
        var packer = ModelPacker(
          recipe: Recipe(matrices: .q4), compression: .never, threads: threads, tool: "test")
        packer.check = { throw Enough() }
        #expect(throws: Enough.self) {
          try packer.pack(try Checkpoint(folder: Self.golden[0]), to: folder + "/model.vl2q")
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: folder)
        #expect(left == [])
      }
    }
  }

  @Test func progressEndsAtOne() throws {
    try withTemporaryFolder { folder in
      let packer = ModelPacker(recipe: Recipe(matrices: .q4), compression: .never, threads: 2, tool: "test")
      var steps: [Double] = []
      try packer.pack(try Checkpoint(folder: Self.golden[0]), to: folder + "/model.vl2q") { fraction, _ in
        steps.append(fraction)
      }
      #expect(steps == steps.sorted())
      #expect(steps.last == 1)
    }
  }

  // MARK: - Back to a checkpoint

  @Test(arguments: [WeightCode.q4, .int8, .bf16], [PackedSection.Compression.never, .whereUseful])
  func dequantized(_ code: WeightCode, _ compression: PackedSection.Compression) throws {
    try withTemporaryFolder { folder in
      let file = try PackedModels.file("nano-outliers", code, compression: compression)
      try Dequantizer(threads: 3).write(file, to: folder + "/back")
      for name in ["config.json", "processor_config.json", "tokenizer_config.json", "tokenizer.json"] {
        let same = try bytes(of: folder + "/back/" + name) == bytes(of: Self.golden[1] + "/" + name)
        #expect(same, "\(name)")
      }
      // Packed without loss, the folder holds the weights that the codes say, and their errors are as measured.
      let original = try PackedModels.file("nano-outliers", .bf16)
      let shard = try SafetensorsFile(path: folder + "/back/model-00001-of-00001.safetensors")
      for section in file.manifest.sections {
        for tensor in section.tensors {
          #expect(try shard.shape(of: tensor.name) == tensor.shape)
          let weights = try shard.floats(of: tensor.name)
          #expect(try weights == decoded(tensor, file), "\(tensor.name)")
          let error = relativeError(weights, try decoded(tensor, original))
          #expect(abs(error * 1e6 - Double(tensor.errorPPM)) <= 0.6, "\(tensor.name)")
        }
      }
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: folder).allSatisfy { !$0.hasSuffix(".part") })
    }
  }

  /// All weights of a tensor, read the way that inference reads them.
  private func decoded(_ tensor: TensorEntry, _ file: PackedFile) throws -> [Float] {
    let count = tensor.weightCount
    guard tensor.code != .plain else { return Array(try file.plain(tensor.name, count: count)) }
    let columns = count / tensor.shape[0]
    var matrix = try file.matrix(tensor.name, rows: tensor.shape[0], columns: columns)
    return [Float](unsafeUninitializedCapacity: count) { out, done in
      for row in 0..<tensor.shape[0] {
        vl2_decode_row(&matrix, row, out.baseAddress.map { $0 + row * columns })
      }
      done = count
    }
  }

  private func relativeError(_ weights: [Float], _ original: [Float]) -> Double {
    var (lost, energy) = (0.0, 0.0)
    for (weight, exact) in zip(weights, original) {
      lost += (Double(weight) - Double(exact)) * (Double(weight) - Double(exact))
      energy += Double(exact) * Double(exact)
    }
    return energy > 0 ? (lost / energy).squareRoot() : 0
  }

  @Test func bf16IsLossless() throws {
    try withTemporaryFolder { folder in
      let first = try PackedModels.file("nano-mha", .bf16)
      try Dequantizer(threads: 2).write(first, to: folder + "/back")
      let second = try packed(folder + "/back", to: folder + "/second.vl2q", .bf16)
      #expect(second.manifest.sections == first.manifest.sections)
      // For other codes too the folder is as good as the original.
      let q4 = try packed(folder + "/back", to: folder + "/third.vl2q", .q4)
      #expect(try q4.manifest.sections == PackedModels.sections("nano-mha"))
    }
  }

  @Test func dequantizingKeepsWhatIsThere() throws {
    try withTemporaryFolder { folder in
      let file = try PackedModels.file("nano-mha", .q4)
      try FileManager.default.createDirectory(atPath: folder + "/used", withIntermediateDirectories: true)
      try write([1], to: folder + "/used/mine")
      for path in ["/used", "/used/mine"] {
        let error = thrown { try Dequantizer(threads: 1).write(file, to: folder + path) }
        #expect(error as? CheckpointError == .folderInUse(path: folder + path))
      }
      #expect(try bytes(of: folder + "/used/mine") == [1])
      // An empty folder is as good as none.
      try FileManager.default.createDirectory(atPath: folder + "/empty", withIntermediateDirectories: true)
      try Dequantizer(threads: 1).write(file, to: folder + "/empty/")
      #expect(try Checkpoint(folder: folder + "/empty").tensorNames.count == 115)

      struct Enough: Error {}
      var dequantizer = Dequantizer(threads: 2)
      dequantizer.check = { throw Enough() }
      #expect(throws: Enough.self) { try dequantizer.write(file, to: folder + "/never") }
      let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      #expect(names == ["empty", "used"])
    }
  }

  /// Names that a manifest makes up do not lead out of the folder.
  @Test func madeUpConfigFilesAreNotWritten() throws {
    try withTemporaryFolder { folder in
      var parts = try PackedParts(path: PackedModels.path("nano-mha", .q4))
      let key = "\"configFiles\":{"
      let manifest = String(decoding: parts.manifest, as: UTF8.self)
        .replacingOccurrences(of: key, with: key + "\"../escaped\":\"text\",")
      parts.manifest = Array(manifest.utf8)
      try parts.write(folder + "/model.vl2q")
      let file = try PackedFile(path: folder + "/model.vl2q")
      #expect(file.manifest.configFiles["../escaped"] == "text")
      try Dequantizer(threads: 1).write(file, to: folder + "/back")
      #expect(!FileManager.default.fileExists(atPath: folder + "/escaped"))
    }
  }
}
