import Foundation
import SIMDKernels
import TestModels
import TestSupport
import Testing
import VL2Quant

@Suite struct PackedFileTests {
  @Test(arguments: [PackedSection.Compression.never, .whereUseful])
  func whatIsWrittenIsRead(compression: PackedSection.Compression) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try SyntheticModel.write(path, compression: compression)
      let file = try PackedFile(path: path)
      try file.verify()
      let layout = try SyntheticModel.layout()
      #expect(file.manifest.sections.map(\.name) == layout.sections.map(\.name))
      #expect(file.manifest.origin == SyntheticModel.origin)
      #expect(file.manifest.recipe == SyntheticModel.recipe)
      #expect(file.manifest.configFiles == ["config.json": SyntheticModel.config])
      #expect(try file.config == ModelConfig(configFiles: ["config.json": SyntheticModel.config]))
      let packed = file.manifest.sections.filter { $0.encoding == .zstd }
      #expect(packed.isEmpty == (compression == .never))
      for (i, entry) in file.manifest.sections.enumerated() {
        let expected = SyntheticModel.bytes(entry.rawLength, section: i)
        #expect(try file.sectionBytes(entry.name).elementsEqual(expected), "\(entry.name)")
        #expect(try file.withSectionBytes(entry.name) { $0.elementsEqual(expected) })
        #expect(entry.offset % 65536 == 0)
        file.willNeed(section: entry.name)
        file.discard(section: entry.name)
        #expect(try file.sectionBytes(entry.name).elementsEqual(expected), "\(entry.name) after discard")
      }
    }
  }

  @Test func theSameFileTwiceHasTheSameBytes() throws {
    try withTemporaryFolder { folder in
      for name in ["a", "b"] { try SyntheticModel.write("\(folder)/\(name)", compression: .whereUseful) }
      #expect(FileManager.default.contentsEqual(atPath: folder + "/a", andPath: folder + "/b"))
    }
  }

  @Test func tensorsHaveTheShapesThatTheConfigDemands() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try SyntheticModel.write(path)
      let file = try PackedFile(path: path)
      for section in file.manifest.sections {
        let base = try file.sectionBytes(section.name).baseAddress
        for tensor in section.tensors {
          #expect(file.contains(tensor.name))
          let (rows, columns) = (tensor.shape[0], tensor.shape.dropFirst().reduce(1, *))
          if let code = tensor.code.kernelCode {
            let matrix = try file.matrix(tensor.name, rows: rows, columns: columns)
            #expect(UnsafeRawPointer(matrix.blocks) == base.map { $0 + tensor.offset })
            #expect(matrix.code == code && matrix.rows == rows && matrix.columns == columns)
            #expect(matrix.block_step == tensor.blockStep && tensor.offset % 64 == 0)
            let wrongShape = PackedFileError.shape(path: path, tensor: tensor.name)
            #expect(throws: wrongShape) { try file.matrix(tensor.name, rows: rows + 1, columns: columns) }
            #expect(throws: wrongShape) { try file.matrix(tensor.name, rows: rows, columns: columns - 1) }
            #expect(throws: wrongShape) { try file.plain(tensor.name, count: rows * columns) }
          } else {
            #expect(try file.plain(tensor.name, count: rows * columns).count == rows * columns)
            #expect(throws: PackedFileError.self) { try file.plain(tensor.name, count: 1) }
            #expect(throws: PackedFileError.self) {
              try file.matrix(tensor.name, rows: rows, columns: columns)
            }
          }
        }
      }
      #expect(!file.contains("nothing"))
      #expect(throws: PackedFileError.shape(path: path, tensor: "nothing")) {
        try file.matrix("nothing", rows: 1, columns: 1)
      }
      #expect(throws: PackedFileError.self) { try file.sectionBytes("nothing") }
    }
  }

  /// Gate and up alternate where they have the same code, and only there.
  @Test func placementFollowsFromTheCodes() throws {
    let expert = try #require(try SyntheticModel.layout().sections.first { $0.name == "layer.1.expert.0" })
    let block = vl2_block_bytes(UInt32(VL2_CODE_Q4), 32)
    let alternating = try #require(SectionPlacement(expert.tensors, codes: [.q4, .q4, .q4]))
    #expect(alternating.offsets == [0, block, 4 * block])
    #expect(alternating.blockSteps == [2 * block, 2 * block, vl2_block_bytes(UInt32(VL2_CODE_Q4), 24)])
    let wide = vl2_block_bytes(UInt32(VL2_CODE_I8), 32)
    let apart = try #require(SectionPlacement(expert.tensors, codes: [.q4, .int8, .q4]))
    #expect(apart.offsets == [0, 2 * block, 2 * block + 2 * wide])
    #expect(apart.blockSteps.prefix(2) == [block, wide])
    #expect(SectionPlacement(expert.tensors, codes: [.q4, .q4]) == nil)
    #expect(SectionPlacement(expert.tensors, codes: [.plain, .q4, .q4]) == nil)
    let norm = ModelLayout.Tensor(name: "n", shape: [20], kind: .plain)
    #expect(SectionPlacement([norm], codes: [.f32]) == nil)
    #expect(SectionPlacement([norm], codes: [.plain])?.length == 128)
    let router = ModelLayout.Tensor(name: "r", shape: [3, 32], kind: .router)
    #expect(SectionPlacement([router], codes: [.q4]) == nil)
    let huge = ModelLayout.Tensor(name: "h", shape: [1 << 30, 1 << 30], kind: .matrix)
    #expect(SectionPlacement([huge], codes: [.f32]) == nil)
    let long = ModelLayout.Tensor(name: "l", shape: [1 << 33, 1], kind: .matrix)
    #expect(SectionPlacement([long], codes: [.q4]) == nil)
  }

  /// The example that docs/FORMAT.md works out by hand.
  @Test func theExampleOfTheSpecification() throws {
    let block = UnsafeMutableRawBufferPointer.allocate(byteCount: 512, alignment: 64)
    defer { block.deallocate() }
    block.initializeMemory(as: UInt8.self, repeating: 0)
    #expect(vl2_block_bytes(UInt32(VL2_CODE_Q4), 40) == 512)
    (block[18], block[52], block[53], block[265]) = (0xEB, 0x83, 0x3A, 0x7C)
    var matrix = vl2_matrix(
      blocks: block.baseAddress?.assumingMemoryBound(to: UInt8.self), block_step: 512,
      code: UInt32(VL2_CODE_Q4), rows: 3, columns: 40)
    var row = [Float](repeating: 0, count: 40)
    vl2_decode_row(&matrix, 2, &row)
    #expect(row[21] == -0.09894561767578125 && row[17] == 0.571685791015625)
  }

  /// A manifest as long as that of the published Tiny; the weights are a hole in the file.
  @Test func openingIsFast() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/large.vl2q"
      try LargeModel.write(path)
      let start = ContinuousClock.now
      let file = try PackedFile(path: path)
      let time = ContinuousClock.now - start
      #expect(file.manifest.sections.count > 700)
      #expect(file.manifest.sections.reduce(0) { $0 + $1.tensors.count } > 2500)
      #expect(time < .seconds(2))
    }
  }
}

/// Sections of the size of the published DeepSeek-VL2-Tiny.
private enum LargeModel {
  static let config = """
    {"architectures": ["DeepseekVLV2ForCausalLM"], "model_type": "deepseek_vl_v2",
     "language_config": {"hidden_size": 1280, "intermediate_size": 6848, "moe_intermediate_size": 896,
      "num_hidden_layers": 12, "num_attention_heads": 10, "n_routed_experts": 64, "n_shared_experts": 2,
      "num_experts_per_tok": 6, "first_k_dense_replace": 1, "bos_token_id": 0, "eos_token_id": 1,
      "use_mla": false, "vocab_size": 129280},
     "vision_config": {"image_size": 384, "patch_size": 14, "width": 1152, "layers": 27, "heads": 16,
      "mlp_ratio": 3.7362}, "projector_config": {}}
    """

  static func write(_ path: String) throws {
    var offset = 65536
    let hash = String(repeating: "0", count: 64)
    let sections = try SyntheticModel.layout(config).sections.map { section in
      let codes = section.tensors.map {
        $0.kind == .matrix ? WeightCode.q4 : $0.kind == .plain ? .plain : .f32
      }
      guard let place = SectionPlacement(section.tensors, codes: codes) else {
        throw CocoaError(.coderInvalidValue)
      }
      let tensors = SyntheticModel.entries(section, codes, place).map {
        """
        {"name":"\($0.name)","shape":\($0.shape),"code":"\($0.code)","offset":\($0.offset),\
        "blockStep":\($0.blockStep),"errorPPM":70000}
        """
      }
      let length = max(1, place.length)
      defer { offset += (length + 65535) / 65536 * 65536 }
      return """
        {"name":"\(section.name)","offset":\(offset),"storedLength":\(length),"rawLength":\(length),\
        "encoding":"raw","sha256":"\(hash)","crc32c":4294967295,"tensors":[\(tensors.joined(separator: ","))]}
        """
    }
    let configText = String(decoding: try JSONEncoder().encode(config), as: UTF8.self)
    let small = path + ".small"
    try SyntheticModel.write(small)
    var parts = try PackedParts(path: small)
    parts.body = Array(parts.body[..<64])
    parts.text = """
      {"origin":{"source":"s","tool":"t","demonstration":true,"leftOut":[]},"recipe":[],\
      "configFiles":{"config.json":\(configText)},"sections":[\(sections.joined(separator: ","))]}
      """
    let head = parts.head(
      manifestOffset: UInt64(offset), fileLength: UInt64(offset + parts.manifest.count))
    try TestSupport.write(head, to: path)
    let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
    try handle.seek(toOffset: UInt64(offset))
    try handle.write(contentsOf: Data(parts.manifest))
    try handle.close()
  }
}
