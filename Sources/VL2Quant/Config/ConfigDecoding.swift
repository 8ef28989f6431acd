import VL2Base

extension ModelConfig {
  /// Reads the config files of a checkpoint. Keys that are absent or null get the defaults of the published
  /// classes.
  ///
  /// - Parameter configFiles: texts by file name: config.json, and processor_config.json, if there is one.
  /// - Throws: `FileError`, naming the file and the key.
  public init(configFiles: [String: String]) throws {
    guard let text = configFiles["config.json"] else {
      throw FileError(.badData, "config.json", "is missing", "every checkpoint has this file")
    }
    let root = try ConfigObject(text: text, file: "config.json")
    try Self.checkArchitecture(root)
    let projected = try root.object("projector_config")
    vision = try VisionConfig(root.object("vision_config"))
    projector = try ProjectorConfig(projected, root)
    language = try LanguageConfig(root.object("language_config"))
    let processorRoot = try configFiles["processor_config.json"].map {
      try ConfigObject(text: $0, file: "processor_config.json")
    }
    processor = try ProcessorConfig(processorRoot, root, vision: vision, projector: projector)
    // The published class has separate numbers for these two. It only ever worked when they equalled the
    // widths here.
    for (key, width, of) in [
      ("input_dim", vision.width, "vision tower"), ("n_embed", language.hiddenSize, "language model"),
    ] {
      if let stated = try projected.integer(key, in: 1...ConfigObject.largestSize), stated != width {
        throw projected.failure(key, "is \(stated), but the \(of) is \(width) wide")
      }
    }
  }

  /// Not all published checkpoints state `architectures`.
  private static func checkArchitecture(_ root: ConfigObject) throws {
    func refused(_ reason: String) -> FileError {
      FileError(.badData, root.file, reason, "give a DeepSeek-VL2 checkpoint")
    }
    let architectures = try root.strings("architectures") ?? []
    // DeepSeek-OCR's tower consists of two models, each an object under vision_config.width.
    let towers = (try? root.object("vision_config"))?.keys("width") ?? []
    if architectures.contains(where: { $0.contains("OCR") })
      || towers.contains(where: { $0.hasPrefix("sam") || $0.hasPrefix("clip") })
    {
      throw refused("this is DeepSeek-OCR, another model that also says deepseek_vl_v2")
    }
    guard architectures.allSatisfy({ $0 == "DeepseekVLV2ForCausalLM" }) else {
      let names = architectures.map { JSONValue.string(Array($0.utf8)).kind }
      throw refused(
        "architectures is \(names.joined(separator: ", ")), not DeepSeek-VL2's DeepseekVLV2ForCausalLM")
    }
    guard try root.string("model_type") ?? "deepseek_vl_v2" == "deepseek_vl_v2" else {
      throw refused("model_type is \(root.kind("model_type")), not DeepSeek-VL2's deepseek_vl_v2")
    }
    for key in ["vision_config", "language_config"] where !root.has(key) {
      throw refused("has no \(key), so this is not DeepSeek-VL2")
    }
    try root.require("tile_tag", oneOf: ["2D"])
    try root.require("global_view_pos", oneOf: ["head", "tail"])
  }
}

extension VisionConfig {
  /// Defaults of the published `VisionEncoderConfig`.
  init(_ root: ConfigObject) throws {
    try root.require("class_token", false)
    try root.require("ignore_head", true)
    imageSize = try root.integer("image_size", in: 1...4096) ?? 384
    patchSize = try root.integer("patch_size", in: 1...256) ?? 16
    width = try root.integer("width", in: 1...1 << 16) ?? 1024
    layers = try root.integer("layers", in: 1...1024) ?? 24
    heads = try root.integer("heads", in: 1...1 << 16) ?? 16
    let ratio = try root.positive("mlp_ratio", default: 4)
    let inner = Double(width) * ratio
    guard inner >= 1, inner <= Double(ConfigObject.largestSize) else {
      throw root.failure("mlp_ratio", "is \(ratio), too large or too small for a width of \(width)")
    }
    mlpWidth = Int(inner)  // as Python's int(): towards zero
    guard width % heads == 0 else {
      throw root.failure("heads", "is \(heads), which does not divide the width of \(width)")
    }
    guard patchSize <= imageSize else {
      throw root.failure("patch_size", "is \(patchSize), more than the image_size of \(imageSize)")
    }
  }
}

extension ProjectorConfig {
  /// Defaults of the published `MlpProjectorConfig`.
  init(_ root: ConfigObject, _ config: ConfigObject) throws {
    try root.require("projector_type", oneOf: ["downsample_mlp_gelu"])
    try root.require("token_pooling", false)
    guard try root.positive("mlp_ratio", default: 1) == 1 else {
      throw root.failure("mlp_ratio", "is \(root.kind("mlp_ratio"))", "this program knows 1 only")
    }
    downsampleRatio = try root.integer("downsample_ratio", in: 1...8) ?? 2
    depth = try root.integer("depth", in: 1...16) ?? 2
    globalViewFirst = try config.string("global_view_pos") ?? "head" == "head"
  }
}

extension LanguageConfig {
  /// Defaults of the published `DeepseekV2Config`.
  init(_ root: ConfigObject) throws {
    try root.require("model_type", oneOf: ["deepseek_v2"])
    try root.require("hidden_act", oneOf: ["silu"])
    try root.require("attention_bias", false)
    try root.require("tie_word_embeddings", false)
    let vocabularySize = try root.size("vocab_size", default: 102_400)
    self.vocabularySize = vocabularySize
    hiddenSize = try root.integer("hidden_size", in: 1...1 << 16) ?? 4096
    layers = try root.integer("num_hidden_layers", in: 1...1024) ?? 30
    denseWidth = try root.size("intermediate_size", default: 11008)
    expertWidth = try root.size("moe_intermediate_size", default: 1407)
    normEpsilon = Float(try root.positive("rms_norm_eps", default: 1e-6))
    ropeTheta = Float(try root.ropeTheta())
    maxPositions = try root.size("max_position_embeddings", default: 2048)
    let ids = 0...vocabularySize - 1
    func fallback(_ key: String, _ id: Int) throws -> Int {
      guard ids.contains(id) else {
        throw root.failure(
          key, "is not there, and the default \(id) is beyond the vocab_size of \(vocabularySize)")
      }
      return id
    }
    beginToken = try root.integer("bos_token_id", in: ids) ?? fallback("bos_token_id", 100_000)
    endTokens = try root.integers("eos_token_id", in: ids) ?? [fallback("eos_token_id", 100_001)]
    attention = try Self.attention(root, hidden: hiddenSize)
    routing = try Self.routing(root)
    firstDenseLayers = try root.integer("first_k_dense_replace", in: 0...1024) ?? 0
    expertLayerFrequency = try root.integer("moe_layer_freq", in: 1...1024) ?? 1
    let shared = try root.integer("n_shared_experts", in: 0...1024) ?? 0
    sharedWidth = routing == nil ? 0 : expertWidth * shared
    guard sharedWidth <= ConfigObject.largestSize else {
      throw root.failure("n_shared_experts", "is \(shared), \(sharedWidth) rows together")
    }
    if let experts = routing?.experts, layers * experts > 1 << 15 {
      throw root.failure("n_routed_experts", "is \(experts), in \(layers) layers more than \(1 << 15)")
    }
  }

  private static func attention(_ root: ConfigObject, hidden: Int) throws -> Attention {
    let heads = try root.integer("num_attention_heads", in: 1...4096) ?? 32
    guard try root.bool("use_mla", default: true) else {
      let keyValueHeads = try root.integer("num_key_value_heads", in: 1...heads) ?? heads
      guard hidden % heads == 0, hidden / heads % 2 == 0 else {
        throw root.failure(
          "num_attention_heads", "is \(heads), which does not halve the hidden_size of \(hidden)")
      }
      guard heads % keyValueHeads == 0 else {
        throw root.failure("num_key_value_heads", "is \(keyValueHeads), which does not divide \(heads) heads")
      }
      return .mha(heads: heads, keyValueHeads: keyValueHeads, headSize: hidden / heads)
    }
    func part(_ key: String, default value: Int) throws -> Int {
      try root.integer(key, in: 1...4096) ?? value
    }
    let rope = try part("qk_rope_head_dim", default: 64)
    guard rope % 2 == 0 else { throw root.failure("qk_rope_head_dim", "is \(rope), not even") }
    // null means that queries have no low rank; only an absent key gets the default.
    let queryRank =
      try root.integer("q_lora_rank", in: 1...1 << 16) ?? (root.mentions("q_lora_rank") ? nil : 1536)
    let rank = try root.integer("kv_lora_rank", in: 1...1 << 16) ?? 512
    let nope = try part("qk_nope_head_dim", default: 128)
    let value = try part("v_head_dim", default: 128)
    guard heads * max(nope + rope, nope + value) <= ConfigObject.largestSize else {
      throw root.failure("num_attention_heads", "is \(heads), too many for heads of that size")
    }
    return .mla(
      heads: heads, queryRank: queryRank, keyValueRank: rank, nopeHeadSize: nope, ropeHeadSize: rope,
      valueHeadSize: value)
  }

  private static func routing(_ root: ConfigObject) throws -> Routing? {
    guard let experts = try root.integer("n_routed_experts", in: 1...4096) else { return nil }
    guard let kept = try root.integer("num_experts_per_tok", in: 1...experts) else {
      throw root.failure("num_experts_per_tok", "is not there, and n_routed_experts is \(experts)")
    }
    // A published class spells its default this way.
    let methodName = try root.string("topk_method").map { $0 == "gready" ? "greedy" : $0 } ?? "greedy"
    guard let method = Routing.Method(rawValue: methodName) else {
      throw root.failure("topk_method", "is \(root.kind("topk_method")), which this program does not know")
    }
    guard let scoring = Routing.Scoring(rawValue: try root.string("scoring_func") ?? "softmax") else {
      throw root.failure("scoring_func", "is \(root.kind("scoring_func")), which this program does not know")
    }
    let factor = Float(try root.number("routed_scaling_factor") ?? 1)
    guard factor.isFinite else { throw root.failure("routed_scaling_factor", "is too large") }
    // Greedy routing has no groups, whatever the config says about them.
    let (groups, keptGroups) = method == .greedy ? (1, 1) : try Self.groups(root, experts, kept, method)
    return Routing(
      experts: experts, expertsPerToken: kept, scoring: scoring, method: method, groups: groups,
      keptGroups: keptGroups, normalized: try root.bool("norm_topk_prob", default: false),
      scalingFactor: factor)
  }

  private static func groups(
    _ root: ConfigObject, _ experts: Int, _ kept: Int, _ method: Routing.Method
  ) throws -> (all: Int, kept: Int) {
    guard let groups = try root.integer("n_group", in: 1...experts),
      let keptGroups = try root.integer("topk_group", in: 1...groups)
    else {
      throw root.failure("n_group", "or topk_group is not there, and topk_method is \(method.rawValue)")
    }
    // With noaux_tc, a group's score is the sum of its two best.
    let smallest = method == .noAuxTC ? 2 : 1
    guard experts % groups == 0, experts / groups >= smallest else {
      throw root.failure("n_group", "is \(groups), which does not cut \(experts) experts into groups")
    }
    guard kept <= experts / groups * keptGroups else {
      throw root.failure(
        "num_experts_per_tok", "is \(kept), more than \(keptGroups) of \(groups) groups hold")
    }
    return (groups, keptGroups)
  }
}

extension ProcessorConfig {
  /// Defaults of the published `DeepseekVLV2Processor`; values without a default there follow from
  /// config.json.
  ///
  /// - Parameters:
  ///   - stated: processor_config.json, if there is one.
  ///   - model: config.json, which states the candidate resolutions too.
  init(_ stated: ConfigObject?, _ model: ConfigObject, vision: VisionConfig, projector: ProjectorConfig)
    throws
  {
    let own = try stated ?? ConfigObject(text: "{}", file: "processor_config.json")
    let source = own.has("candidate_resolutions") ? own : model
    let side = vision.imageSize
    let sizes = try source.pairs("candidate_resolutions", in: 1...65536) ?? [(side, side)]
    guard sizes.first?.0 == side, sizes.count <= 1024,
      sizes.allSatisfy({ $0.0 % side == 0 && $0.1 % side == 0 && $0.0 / side * ($0.1 / side) <= 256 })
    else {
      throw source.failure(
        "candidate_resolutions",
        "must be multiples of the tower's image_size of \(side), the first that wide, with 256 tiles at most")
    }
    candidateResolutions = sizes.map { Size(width: $0.0, height: $0.1) }
    patchSize = try own.integer("patch_size", in: 1...256) ?? vision.patchSize
    downsampleRatio = try own.integer("downsample_ratio", in: 1...8) ?? projector.downsampleRatio
    for (key, value, expected) in [
      ("patch_size", patchSize, vision.patchSize),
      ("downsample_ratio", downsampleRatio, projector.downsampleRatio),
    ] where value != expected {
      throw own.failure(key, "is \(value), but \(expected) in config.json", "take both files from one model")
    }
    try own.require("normalize", true)
    try own.require("sft_format", oneOf: ["deepseek"])
    func channels(_ key: String, _ range: ClosedRange<Double>) throws -> [Float] {
      let values = try own.numbers(key) ?? [0.5, 0.5, 0.5]
      guard values.count == 3, values.allSatisfy(range.contains) else {
        throw own.failure(key, "is not three numbers from \(range.lowerBound) to \(range.upperBound)")
      }
      return values.map { Float($0) }
    }
    imageMean = try channels("image_mean", 0...1)
    imageStd = try channels("image_std", 1e-6...1e6)
    imageToken = try own.string("image_token") ?? "<image>"
    padToken = try own.string("pad_token") ?? "<｜▁pad▁｜>"
    for (key, token) in [("image_token", imageToken), ("pad_token", padToken)] where token.isEmpty {
      throw own.failure(key, "is empty")
    }
  }
}
