import SIMDKernels

/// Every tensor that inference uses, by section, in the order in which inference touches them. The config
/// decides it completely; the packer writes this layout and a reader accepts no other.
public struct ModelLayout: Sendable, Equatable {
  public enum Kind: Sendable, Equatable {
    /// Row-major float32: vectors, norms, biases, positions.
    case plain
    /// The router's matrix: float32 in blocks of 16 rows, whatever the recipe says.
    case router
    /// A matrix [rows, columns]; the recipe chooses its code.
    case matrix
  }

  public struct Tensor: Sendable, Equatable {
    /// The checkpoint's name.
    public var name: String
    /// The checkpoint's shape.
    public var shape: [Int]
    public var kind: Kind
    /// Whether its blocks of 16 rows alternate with those of the next tensor (gate with up), if both have the
    /// same code.
    public var alternatesWithNext = false

    package init(name: String, shape: [Int], kind: Kind) {
      self.name = name
      self.shape = shape
      self.kind = kind
    }

    /// Rows of a matrix.
    public var rows: Int { shape[0] }
    /// Columns of a matrix: all dimensions after the first, multiplied.
    public var columns: Int { shape.dropFirst().reduce(1, *) }
    /// Number of elements.
    public var count: Int { shape.reduce(1, *) }
  }

  public struct Section: Sendable, Equatable {
    public var name: String
    public var tensors: [Tensor]
  }

  /// The section with the compiled tokeniser, the first of a file.
  public static let tokenizer = "tokenizer"
  /// The section with the text of the checkpoint's tokenizer.json, the last of a file.
  public static let tokenizerSource = "tokenizer.json"

  /// All sections in file order. The two tokeniser sections hold no tensors.
  public let sections: [Section]

  public init(_ config: ModelConfig) {
    var sections = [Section(name: Self.tokenizer, tensors: [])]
    sections += Self.vision(config)
    let (hidden, words) = (config.language.hiddenSize, config.language.vocabularySize)
    sections.append(
      Section(
        name: "embedding", tensors: [Self.matrix("language.model.embed_tokens.weight", words, hidden)]))
    for layer in 0..<config.language.layers { sections += Self.layer(layer, config.language) }
    sections.append(
      Section(
        name: "head",
        tensors: [
          Self.plain("language.model.norm.weight", hidden),
          Self.matrix("language.lm_head.weight", words, hidden),
        ]))
    sections.append(Section(name: Self.tokenizerSource, tensors: []))
    self.sections = sections
  }

  private static func plain(_ name: String, _ shape: Int...) -> Tensor {
    Tensor(name: name, shape: shape, kind: .plain)
  }

  private static func matrix(_ name: String, _ shape: Int...) -> Tensor {
    Tensor(name: name, shape: shape, kind: .matrix)
  }

  private static func linear(_ name: String, _ outputs: Int, _ inputs: Int) -> [Tensor] {
    [matrix(name + ".weight", outputs, inputs), plain(name + ".bias", outputs)]
  }

  private static func norm(_ name: String, _ width: Int) -> [Tensor] {
    [plain(name + ".weight", width), plain(name + ".bias", width)]
  }

  private static func vision(_ config: ModelConfig) -> [Section] {
    let (vision, hidden) = (config.vision, config.language.hiddenSize)
    let width = vision.width
    let patch = vision.patchSize
    var sections = [
      Section(
        name: "vision.embed",
        tensors: [
          matrix("vision.patch_embed.proj.weight", width, 3, patch, patch),
          plain("vision.patch_embed.proj.bias", width), plain("vision.pos_embed", 1, vision.patches, width),
        ])
    ]
    for i in 0..<vision.layers {
      let p = "vision.blocks.\(i)."
      let tensors =
        norm(p + "norm1", width) + linear(p + "attn.qkv", 3 * width, width)
        + linear(p + "attn.proj", width, width) + norm(p + "norm2", width)
        + linear(p + "mlp.fc1", vision.mlpWidth, width) + linear(p + "mlp.fc2", width, vision.mlpWidth)
      sections.append(Section(name: "vision.block.\(i)", tensors: tensors))
    }
    sections.append(Section(name: "vision.out", tensors: norm("vision.norm", width)))
    let ratio = config.projector.downsampleRatio
    var projector: [Tensor] = []
    for i in 0..<config.projector.depth {
      projector += linear("projector.layers.\(2 * i)", hidden, i == 0 ? width * ratio * ratio : hidden)
    }
    projector += [plain("image_newline", hidden), plain("view_seperator", hidden)]  // spelled so
    sections.append(Section(name: "projector", tensors: projector))
    return sections
  }

  private static func layer(_ layer: Int, _ config: LanguageConfig) -> [Section] {
    let hidden = config.hiddenSize
    let p = "language.model.layers.\(layer)."
    var tensors = [plain(p + "input_layernorm.weight", hidden)]
    tensors += attention(p + "self_attn.", config)
    tensors.append(plain(p + "post_attention_layernorm.weight", hidden))
    guard let routing = config.routing, config.hasExperts(layer: layer) else {
      tensors += gated(p + "mlp", hidden, config.denseWidth)
      return [Section(name: "layer.\(layer)", tensors: tensors)]
    }
    tensors.append(Tensor(name: p + "mlp.gate.weight", shape: [routing.experts, hidden], kind: .router))
    if routing.method == .noAuxTC {
      tensors.append(plain(p + "mlp.gate.e_score_correction_bias", routing.experts))
    }
    if config.sharedWidth > 0 { tensors += gated(p + "mlp.shared_experts", hidden, config.sharedWidth) }
    var sections = [Section(name: "layer.\(layer)", tensors: tensors)]
    for expert in 0..<routing.experts {
      sections.append(
        Section(
          name: "layer.\(layer).expert.\(expert)",
          tensors: gated(p + "mlp.experts.\(expert)", hidden, config.expertWidth)))
    }
    return sections
  }

  private static func attention(_ p: String, _ config: LanguageConfig) -> [Tensor] {
    let hidden = config.hiddenSize
    switch config.attention {
    case .mha(let heads, let keyValueHeads, let size):
      return [
        matrix(p + "q_proj.weight", heads * size, hidden),
        matrix(p + "k_proj.weight", keyValueHeads * size, hidden),
        matrix(p + "v_proj.weight", keyValueHeads * size, hidden),
        matrix(p + "o_proj.weight", hidden, heads * size),
      ]
    case .mla(let heads, let queryRank, let rank, let nope, let rope, let value):
      var tensors: [Tensor] = []
      if let queryRank {
        tensors += [
          matrix(p + "q_a_proj.weight", queryRank, hidden), plain(p + "q_a_layernorm.weight", queryRank),
          matrix(p + "q_b_proj.weight", heads * (nope + rope), queryRank),
        ]
      } else {
        tensors.append(matrix(p + "q_proj.weight", heads * (nope + rope), hidden))
      }
      return tensors + [
        matrix(p + "kv_a_proj_with_mqa.weight", rank + rope, hidden),
        plain(p + "kv_a_layernorm.weight", rank),
        matrix(p + "kv_b_proj.weight", heads * (nope + value), rank),
        matrix(p + "o_proj.weight", hidden, heads * value),
      ]
    }
  }

  private static func gated(_ p: String, _ hidden: Int, _ inner: Int) -> [Tensor] {
    var gate = matrix(p + ".gate_proj.weight", inner, hidden)
    gate.alternatesWithNext = true
    return [
      gate, matrix(p + ".up_proj.weight", inner, hidden), matrix(p + ".down_proj.weight", hidden, inner),
    ]
  }
}

/// Where a section's tensors lie. Their codes alone determine it.
public struct SectionPlacement: Sendable, Equatable {
  /// One for each tensor: bytes from the section's beginning, a multiple of 64.
  public var offsets: [Int]
  /// One for each tensor: bytes from one block of 16 rows to the next; the padded length for a plain tensor.
  public var blockSteps: [Int]
  /// Bytes of the section.
  public var length: Int

  /// - Parameters:
  ///   - tensors: a section of `ModelLayout`.
  ///   - codes: the code of each; `plain` for plain tensors only.
  /// - Returns: nil if codes and kinds do not fit together, or if the lengths overflow.
  public init?(_ tensors: [ModelLayout.Tensor], codes: [WeightCode]) {
    guard tensors.count == codes.count else { return nil }
    (offsets, blockSteps, length) = ([], [], 0)
    var index = 0
    while index < tensors.count {
      let (tensor, code) = (tensors[index], codes[index])
      guard let step = Self.step(tensor, code) else { return nil }
      if tensor.alternatesWithNext, index + 1 < tensors.count, codes[index + 1] == code,
        tensors[index + 1].shape == tensor.shape
      {
        offsets += [length, length + step]
        blockSteps += [2 * step, 2 * step]
        guard append(2 * step, times: (tensor.rows + 15) / 16) else { return nil }
        index += 2
      } else {
        offsets.append(length)
        blockSteps.append(step)
        guard append(step, times: code == .plain ? 1 : (tensor.rows + 15) / 16) else { return nil }
        index += 1
      }
    }
  }

  private static func step(_ tensor: ModelLayout.Tensor, _ code: WeightCode) -> Int? {
    // The limits of what a kernel accepts.
    guard tensor.rows <= Int(Int32.max), tensor.columns <= Int(Int32.max) else { return nil }
    switch tensor.kind {
    case .plain:
      guard code == .plain else { return nil }
      return (tensor.count * 4 + 63) / 64 * 64
    case .router:
      guard code == .f32 else { return nil }
      return vl2_block_bytes(UInt32(VL2_CODE_F32), tensor.columns)
    case .matrix:
      guard let kernelCode = code.kernelCode else { return nil }
      return vl2_block_bytes(kernelCode, tensor.columns)
    }
  }

  private mutating func append(_ bytes: Int, times: Int) -> Bool {
    let (product, overflow) = bytes.multipliedReportingOverflow(by: times)
    let (sum, overflow2) = length.addingReportingOverflow(product)
    guard !overflow, !overflow2, sum <= 1 << 46 else { return false }
    length = sum
    return true
  }
}
