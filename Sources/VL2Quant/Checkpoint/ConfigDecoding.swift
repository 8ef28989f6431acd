extension ModelConfig {
  /// Reads the config files of a checkpoint. Keys that are not there have the published classes' defaults.
  ///
  /// - Parameter configFiles: texts by file name: config.json, and processor_config.json where there is one.
  /// - Throws: `ConfigError`, which names the file and the key.
  public init(configFiles: [String: String]) throws {
    guard let text = configFiles["config.json"] else {
      throw ConfigError(file: "config.json", problem: "is missing: a checkpoint has this file")
    }
    let root = try ConfigObject(text: text, file: "config.json")
    try Self.checkArchitecture(root)
    vision = try VisionConfig(root.object("vision_config"))
    projector = try ProjectorConfig(root.object("projector_config"), root)
    language = try LanguageConfig(root.object("language_config"))
    let processorRoot = try configFiles["processor_config.json"].map {
      try ConfigObject(text: $0, file: "processor_config.json")
    }
    processor = try ProcessorConfig(processorRoot, root, vision: vision, projector: projector)
    let projected = try root.object("projector_config")
    if let width = try projected.integer("input_dim", in: 1...ConfigObject.largestSize), width != vision.width
    {
      throw projected.failure("input_dim", "is \(width), the vision tower is \(vision.width) wide")
    }
    if let width = try projected.integer("n_embed", in: 1...ConfigObject.largestSize),
      width != language.hiddenSize
    {
      throw projected.failure("n_embed", "is \(width), the language model is \(language.hiddenSize) wide")
    }
  }

  private static func checkArchitecture(_ root: ConfigObject) throws {
    let architectures = try root.strings("architectures") ?? []
    let type = try root.string("model_type")
    if architectures.contains(where: { $0.contains("OCR") }) {
      throw ConfigError(
        file: root.file,
        problem:
          "this is DeepSeek-OCR, another model that also says deepseek_vl_v2: give a DeepSeek-VL2 checkpoint")
    }
    guard architectures.allSatisfy({ $0 == "DeepseekVLV2ForCausalLM" }), type ?? "" == "deepseek_vl_v2" else {
      let name = architectures.first ?? type ?? "unnamed"
      throw ConfigError(
        file: root.file,
        problem:
          "the model is \(TokenizerError.quote(Array(name.utf8))), not DeepSeek-VL2: give a DeepSeek-VL2 checkpoint"
      )
    }
    guard root.has("vision_config"), root.has("language_config") else {
      throw ConfigError(
        file: root.file, problem: "has no vision_config or no language_config: give a DeepSeek-VL2 checkpoint"
      )
    }
    try root.require("tile_tag", oneOf: ["2D"])
    try root.require("global_view_pos", oneOf: ["head", "tail"])
  }
}

extension VisionConfig {
  /// Defaults of the published `VisionEncoderConfig`.
  init(_ root: ConfigObject) throws {
    // DeepSeek-OCR has a tower of two parts, each an object under "width".
    guard !root.isObject("width") else {
      throw root.failure(
        "width", "is not one number: this is not DeepSeek-VL2's tower (DeepSeek-OCR has two)")
    }
    imageSize = try root.size("image_size", default: 384)
    patchSize = try root.size("patch_size", default: 16)
    width = try root.size("width", default: 1024)
    layers = try root.size("layers", default: 24)
    heads = try root.size("heads", default: 16)
    let ratio = try root.positive("mlp_ratio", default: 4)
    let inner = Double(width) * ratio
    guard inner >= 1, inner <= Double(ConfigObject.largestSize) else {
      throw root.failure("mlp_ratio", "is \(ratio), too large or too small for a width of \(width)")
    }
    mlpWidth = Int(inner)  // as Python's int(): towards zero
    guard width % heads == 0 else {
      throw root.failure("heads", "is \(heads), which does not divide \(width)")
    }
    guard patchSize <= imageSize, imageSize <= 4096, patchSize <= 256 else {
      throw root.failure("image_size", "is \(imageSize) with patches of \(patchSize): out of range")
    }
    guard layers <= 1024 else { throw root.failure("layers", "is \(layers), more than 1024") }
  }
}

extension ProjectorConfig {
  init(_ root: ConfigObject, _ config: ConfigObject) throws {
    try root.require("projector_type", oneOf: ["downsample_mlp_gelu"])
    guard try root.positive("mlp_ratio", default: 1) == 1 else {
      throw root.failure("mlp_ratio", "is not 1; this program knows 1 only")
    }
    guard try !root.bool("token_pooling", default: false) else {
      throw root.failure("token_pooling", "is true; this program knows false only")
    }
    downsampleRatio = try root.integer("downsample_ratio", in: 1...16) ?? 2
    depth = try root.integer("depth", in: 1...16) ?? 2
    globalViewFirst = try config.string("global_view_pos") ?? "head" == "head"
  }
}

extension LanguageConfig {
  /// Defaults of the published `DeepseekV2Config`.
  init(_ root: ConfigObject) throws {
    try root.require("hidden_act", oneOf: ["silu"])
    guard try !root.bool("attention_bias", default: false) else {
      throw root.failure("attention_bias", "is true; this program knows false only")
    }
    guard !root.has("rope_scaling") else {
      throw root.failure("rope_scaling", "is set; this program knows models without it only")
    }
    vocabularySize = try root.size("vocab_size", default: 102_400)
    hiddenSize = try root.size("hidden_size", default: 4096)
    layers = try root.integer("num_hidden_layers", in: 1...1024) ?? 30
    denseWidth = try root.size("intermediate_size", default: 11008)
    expertWidth = try root.size("moe_intermediate_size", default: 1407)
    normEpsilon = Float(try root.positive("rms_norm_eps", default: 1e-6))
    ropeTheta = Float(try root.positive("rope_theta", default: 10000))
    maxPositions = try root.size("max_position_embeddings", default: 2048)
    beginToken = try root.integer("bos_token_id", in: 0...vocabularySize - 1) ?? 100_000
    endToken = try root.integer("eos_token_id", in: 0...vocabularySize - 1) ?? 100_001
    guard beginToken < vocabularySize, endToken < vocabularySize else {
      throw root.failure(
        "bos_token_id", "is \(beginToken), eos_token_id \(endToken): vocab_size is only \(vocabularySize)")
    }
    attention = try Self.attention(root, hidden: hiddenSize)
    routing = try Self.routing(root)
    sharedWidth =
      routing == nil ? 0 : expertWidth * (try root.integer("n_shared_experts", in: 0...1024) ?? 0)
    firstDenseLayers = try root.integer("first_k_dense_replace", in: 0...1024) ?? 0
    expertLayerFrequency = try root.integer("moe_layer_freq", in: 1...1024) ?? 1
    guard layers * (routing?.experts ?? 1) <= 1 << 15 else {
      throw root.failure("n_routed_experts", "gives more than \(1 << 15) experts in \(layers) layers")
    }
  }

  private static func attention(_ root: ConfigObject, hidden: Int) throws -> Attention {
    let heads = try root.size("num_attention_heads", default: 32)
    guard try root.bool("use_mla", default: true) else {
      let keyValueHeads = try root.integer("num_key_value_heads", in: 1...heads) ?? heads
      guard hidden % heads == 0, heads % keyValueHeads == 0, hidden / heads % 2 == 0 else {
        throw root.failure(
          "num_attention_heads", "is \(heads) with \(keyValueHeads) for keys: they do not divide \(hidden)")
      }
      return .mha(heads: heads, keyValueHeads: keyValueHeads, headSize: hidden / heads)
    }
    let rope = try root.size("qk_rope_head_dim", default: 64)
    guard rope % 2 == 0 else { throw root.failure("qk_rope_head_dim", "is \(rope), not even") }
    // null means that queries have no low rank; only an absent key has the default.
    let queryRank =
      try root.integer("q_lora_rank", in: 1...ConfigObject.largestSize)
      ?? (root.mentions("q_lora_rank") ? nil : 1536)
    return .mla(
      heads: heads, queryRank: queryRank, keyValueRank: try root.size("kv_lora_rank", default: 512),
      nopeHeadSize: try root.size("qk_nope_head_dim", default: 128), ropeHeadSize: rope,
      valueHeadSize: try root.size("v_head_dim", default: 128))
  }

  private static func routing(_ root: ConfigObject) throws -> Routing? {
    guard let experts = try root.integer("n_routed_experts", in: 1...4096) else { return nil }
    guard let kept = try root.integer("num_experts_per_tok", in: 1...experts) else {
      throw root.failure("num_experts_per_tok", "is missing for \(experts) routed experts")
    }
    // The published class spells its default so.
    let methodName = try root.string("topk_method").map { $0 == "gready" ? "greedy" : $0 } ?? "greedy"
    guard let method = Routing.Method(rawValue: methodName) else {
      throw root.failure(
        "topk_method", "is \(TokenizerError.quote(Array(methodName.utf8))), which this program does not know")
    }
    let scoringName = try root.string("scoring_func") ?? "softmax"
    guard let scoring = Routing.Scoring(rawValue: scoringName) else {
      throw root.failure(
        "scoring_func",
        "is \(TokenizerError.quote(Array(scoringName.utf8))), which this program does not know")
    }
    let groups = try root.integer("n_group", in: 1...experts) ?? 1
    let keptGroups = try root.integer("topk_group", in: 1...groups) ?? 1
    guard experts % groups == 0 else {
      throw root.failure("n_group", "is \(groups), which does not divide \(experts) experts")
    }
    guard method == .greedy || kept <= experts / groups * keptGroups else {
      throw root.failure("topk_group", "is \(keptGroups): these groups hold fewer than \(kept) experts")
    }
    let factor = try root.number("routed_scaling_factor") ?? 1
    guard Float(factor).isFinite else { throw root.failure("routed_scaling_factor", "is \(factor)") }
    return Routing(
      experts: experts, expertsPerToken: kept, scoring: scoring, method: method, groups: groups,
      keptGroups: keptGroups, normalized: try root.bool("norm_topk_prob", default: false),
      scalingFactor: Float(factor))
  }
}

extension ProcessorConfig {
  /// - Parameters:
  ///   - own: processor_config.json, where there is one.
  ///   - model: config.json, which states the candidate resolutions too.
  init(_ own: ConfigObject?, _ model: ConfigObject, vision: VisionConfig, projector: ProjectorConfig) throws {
    let source = own ?? model
    let side = vision.imageSize
    let sizes =
      try own?.pairs("candidate_resolutions", in: 1...65536)
      ?? model.pairs("candidate_resolutions", in: 1...65536) ?? [(side, side)]
    guard let first = sizes.first, first == (side, side), sizes.count <= 1024,
      sizes.allSatisfy({ $0.0 % side == 0 && $0.1 % side == 0 && $0.0 / side * ($0.1 / side) <= 256 })
    else {
      throw source.failure(
        "candidate_resolutions",
        "must begin with \(side) x \(side), the tower's tile, and hold multiples of it")
    }
    candidateResolutions = sizes.map { Size(width: $0.0, height: $0.1) }
    patchSize = try own?.integer("patch_size", in: 1...256) ?? vision.patchSize
    downsampleRatio = try own?.integer("downsample_ratio", in: 1...16) ?? projector.downsampleRatio
    guard patchSize == vision.patchSize, downsampleRatio == projector.downsampleRatio else {
      throw source.failure(
        "patch_size", "or downsample_ratio differs from config.json: the files belong to two models")
    }
    func channels(_ key: String) throws -> [Float] {
      let values = try own?.numbers(key) ?? [0.5, 0.5, 0.5]
      guard values.count == 3, values.allSatisfy({ $0 >= 0 && $0 <= 1 }) else {
        throw source.failure(key, "is not a list of three numbers from 0 to 1")
      }
      return values.map { Float($0) }
    }
    imageMean = try channels("image_mean")
    imageStd = try channels("image_std")
    guard imageStd.allSatisfy({ $0 > 1e-6 }) else { throw source.failure("image_std", "holds a zero") }
    guard try own?.bool("normalize", default: true) ?? true else {
      throw source.failure("normalize", "is false; this program knows true only")
    }
    imageToken = try own?.string("image_token") ?? "<image>"
    padToken = try own?.string("pad_token") ?? "<｜▁pad▁｜>"
  }
}
