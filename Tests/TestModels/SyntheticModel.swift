import Foundation
import TestSupport
import VL2Quant

/// A packed file of a tiny model whose weights are random bytes.
package enum SyntheticModel {
  package static let config = """
    {"architectures": ["DeepseekVLV2ForCausalLM"], "model_type": "deepseek_vl_v2",
     "language_config": {"hidden_size": 32, "intermediate_size": 40, "moe_intermediate_size": 24,
      "num_hidden_layers": 2, "num_attention_heads": 2, "n_routed_experts": 3, "n_shared_experts": 1,
      "num_experts_per_tok": 2, "first_k_dense_replace": 1, "bos_token_id": 0, "eos_token_id": 1,
      "use_mla": false, "vocab_size": 40},
     "vision_config": {"image_size": 28, "patch_size": 14, "width": 24, "layers": 1, "heads": 2, "mlp_ratio": 2},
     "projector_config": {"depth": 2}}
    """

  package static func layout(_ config: String = config) throws -> ModelLayout {
    ModelLayout(try ModelConfig(configFiles: ["config.json": config]))
  }

  /// A code for every tensor. The recipe's matrices take the codes in turn, so that every code occurs, and
  /// gate and up sometimes alternate and sometimes do not.
  package static func codes(_ layout: ModelLayout) -> [[WeightCode]] {
    let cycle: [WeightCode] = [.q4, .q4, .int8, .bf16, .f32, .q4, .q4]
    var next = 0
    return layout.sections.map { section in
      section.tensors.map { tensor in
        switch tensor.kind {
        case .plain: return .plain
        case .router: return .f32
        case .matrix:
          next += 1
          return cycle[next % cycle.count]
        }
      }
    }
  }

  /// The bytes that belong in each section.
  package static func bytes(_ length: Int, section: Int) -> [UInt8] {
    var random = SplitMix64(seed: UInt64(section))
    // Every other section has few different bytes, so that zstd saves something.
    let mask: UInt64 = section % 2 == 0 ? 0x0101_0101_0101_0101 : .max
    var bytes: [UInt8] = []
    bytes.reserveCapacity(length + 8)
    while bytes.count < length { withUnsafeBytes(of: random.next() & mask) { bytes.append(contentsOf: $0) } }
    return Array(bytes.prefix(length))
  }

  package static func placements(_ layout: ModelLayout) throws -> [SectionPlacement] {
    try zip(layout.sections, codes(layout)).map { section, codes in
      guard let placement = SectionPlacement(section.tensors, codes: codes) else {
        throw CocoaError(.coderInvalidValue)
      }
      return placement
    }
  }

  package static func entries(
    _ section: ModelLayout.Section, _ codes: [WeightCode], _ place: SectionPlacement
  )
    -> [TensorEntry]
  {
    section.tensors.indices.map { i in
      TensorEntry(
        name: section.tensors[i].name, shape: section.tensors[i].shape, code: codes[i],
        offset: place.offsets[i], blockStep: place.blockSteps[i], errorPPM: i)
    }
  }

  package static let origin = Manifest.Origin(
    source: "synthetic", tool: "tests", license: "line 1\nline \"2\" \\ \u{1}", demonstration: true,
    demonstrationNote: "made for \"tests\"\n",
    leftOut: ["vision.ignored"])
  package static let recipe = [RecipeRule(pattern: "*", code: .q4)]

  /// - Parameter tokenizer: the bytes of the section of that name; nil for any bytes.
  package static func append(
    to writer: PackedFileWriter, tokenizer: [UInt8]? = nil, compression: PackedSection.Compression = .never
  ) throws {
    let layout = try layout()
    let (codes, placements) = (codes(layout), try placements(layout))
    for (i, section) in layout.sections.enumerated() {
      let length = section.tensors.isEmpty ? 1000 + i : placements[i].length
      let given = section.name == ModelLayout.tokenizer ? tokenizer : nil
      try writer.append(
        PackedSection(
          name: section.name, tensors: entries(section, codes[i], placements[i]),
          bytes: given ?? bytes(length, section: i), compression: compression))
    }
  }

  package static func write(_ path: String, compression: PackedSection.Compression = .never) throws {
    let writer = try PackedFileWriter(path: path)
    try append(to: writer, compression: compression)
    try writer.finish(origin: origin, recipe: recipe, configFiles: ["config.json": config])
  }
}
