import Foundation
import TestSupport
import Testing
import VL2Quant

@Suite struct ConfigTests {
  /// The texts of a golden checkpoint's config files.
  private static func files(_ checkpoint: String) throws -> [String: String] {
    var files: [String: String] = [:]
    for name in ["config.json", "processor_config.json"] {
      files[name] = try String(
        contentsOfFile: Fixtures.path("golden/checkpoints/\(checkpoint)/\(name)"), encoding: .utf8)
    }
    return files
  }

  /// A config of the three parts, each the inside of an object.
  private static func config(vision: String = "", language: String = "", projector: String = "") -> String {
    """
    {"architectures": ["DeepseekVLV2ForCausalLM"], "model_type": "deepseek_vl_v2",
     "vision_config": {\(vision)}, "language_config": {\(language)}, "projector_config": {\(projector)}}
    """
  }

  private static func read(_ config: String, processor: String? = nil) throws -> ModelConfig {
    var files = ["config.json": config]
    files["processor_config.json"] = processor
    return try ModelConfig(configFiles: files)
  }

  @Test func goldenCheckpoint() throws {
    let config = try ModelConfig(configFiles: try Self.files("nano-mha"))
    let vision = config.vision
    #expect(vision.imageSize == 70 && vision.patchSize == 14 && vision.width == 144)
    #expect(vision.layers == 2 && vision.heads == 2 && vision.mlpWidth == 272)
    #expect(vision.grid == 5 && vision.patches == 25 && vision.headSize == 72)
    #expect(config.projector.downsampleRatio == 2 && config.projector.depth == 2)
    #expect(config.projector.globalViewFirst)
    let language = config.language
    #expect(language.vocabularySize == 648 && language.hiddenSize == 128 && language.layers == 3)
    #expect(language.attention == .mha(heads: 2, keyValueHeads: 2, headSize: 64))
    #expect(language.denseWidth == 352 && language.expertWidth == 96 && language.sharedWidth == 192)
    let routing = try #require(language.routing)
    #expect(routing.experts == 8 && routing.expertsPerToken == 2)
    #expect(routing.scoring == .softmax && routing.method == .greedy)
    #expect(routing.groups == 1 && routing.keptGroups == 1)
    #expect(!routing.normalized && routing.scalingFactor == 1)
    #expect((0..<3).map { language.hasExperts(layer: $0) } == [false, true, true])
    #expect(language.normEpsilon == 1e-6 && language.ropeTheta == 10000 && language.maxPositions == 1024)
    #expect(language.beginToken == 0 && language.endToken == 1)
    let processor = config.processor
    #expect(processor.candidateResolutions.count == 23 && processor.tileSide == 70)
    #expect(processor.candidateResolutions[1] == .init(width: 70, height: 140))
    #expect(processor.patchSize == 14 && processor.downsampleRatio == 2)
    #expect(processor.imageMean == [0.5, 0.5, 0.5] && processor.imageStd == [0.5, 0.5, 0.5])
    #expect(processor.imageToken == "<image>" && processor.padToken == "<｜▁pad▁｜>")
  }

  /// Defaults of the published VisionEncoderConfig, MlpProjectorConfig, DeepseekV2Config and processor.
  @Test func absentKeysHaveThePublishedDefaults() throws {
    let spelt = Self.config(
      vision: """
        "image_size": 384, "patch_size": 16, "width": 1024, "layers": 24, "heads": 16, "mlp_ratio": 4.0
        """,
      language: """
        "vocab_size": 102400, "hidden_size": 4096, "intermediate_size": 11008, "moe_intermediate_size": 1407,
        "num_hidden_layers": 30, "num_attention_heads": 32, "n_shared_experts": null,
        "n_routed_experts": null, "routed_scaling_factor": 1.0, "kv_lora_rank": 512, "q_lora_rank": 1536,
        "qk_rope_head_dim": 64, "v_head_dim": 128, "qk_nope_head_dim": 128, "topk_method": "gready",
        "n_group": null, "topk_group": null, "num_experts_per_tok": null, "moe_layer_freq": 1,
        "first_k_dense_replace": 0, "norm_topk_prob": false, "scoring_func": "softmax", "hidden_act": "silu",
        "max_position_embeddings": 2048, "rms_norm_eps": 1e-06, "bos_token_id": 100000,
        "eos_token_id": 100001, "rope_theta": 10000.0, "rope_scaling": null, "attention_bias": false,
        "use_mla": true
        """,
      projector: """
        "projector_type": "downsample_mlp_gelu", "mlp_ratio": 1, "downsample_ratio": 2, "depth": 2,
        "token_pooling": false, "input_dim": 1024, "n_embed": 4096
        """)
    let processor = """
      {"candidate_resolutions": [[384, 384]], "patch_size": 16, "downsample_ratio": 2,
       "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "normalize": true,
       "image_token": "<image>", "pad_token": "<｜▁pad▁｜>"}
      """
    let absent = try Self.read(Self.config())
    #expect(absent == (try Self.read(spelt)))
    #expect(absent == (try Self.read(spelt, processor: processor)))
    #expect(
      absent.language.attention
        == .mla(
          heads: 32, queryRank: 1536, keyValueRank: 512, nopeHeadSize: 128, ropeHeadSize: 64,
          valueHeadSize: 128))
    #expect(absent.language.routing == nil && absent.language.sharedWidth == 0)
    let routed = #""n_routed_experts": 8, "num_experts_per_tok": 2"#
    let routedSpelt = routed + #", "topk_method": "greedy", "n_group": 1, "topk_group": 1"#
    #expect(try Self.read(Self.config(language: routed)) == Self.read(Self.config(language: routedSpelt)))
  }

  /// A query rank of null means none; only an absent one has the default.
  @Test func queryRankOfNull() throws {
    let config = try Self.read(Self.config(language: #""q_lora_rank": null"#))
    guard case .mla(_, let rank, _, _, _, _) = config.language.attention else {
      Issue.record("not latent attention")
      return
    }
    #expect(rank == nil)
  }

  @Test(arguments: [
    (#""architectures": ["DeepseekOCRForCausalLM"], "model_type": "deepseek_vl_v2""#, "DeepSeek-OCR"),
    (#""architectures": ["LlamaForCausalLM"], "model_type": "llama""#, "LlamaForCausalLM"),
    (#""architectures": ["LlamaForCausalLM"], "model_type": "deepseek_vl_v2""#, "LlamaForCausalLM"),
    (#""model_type": "llama""#, "llama"),
    (#""model_type": "multi_modality", "architectures": null"#, "multi_modality"),
    (#""model_type": 7"#, "model_type"),
    (#""architectures": "DeepseekVLV2ForCausalLM""#, "architectures"),
    (#""architectures": ["a\nb"]"#, #"a\nb"#),
    (#""model_type": "deepseek_vl_v2", "tile_tag": "1D""#, "tile_tag"),
    (#""model_type": "deepseek_vl_v2", "global_view_pos": "middle""#, "global_view_pos"),
  ])
  func otherModelsAreRefusedByName(members: String, name: String) {
    let text = "{\(members), \"vision_config\": {}, \"language_config\": {}}"
    Self.expectRefusal(text, naming: name)
  }

  private static func expectRefusal(_ config: String, processor: String? = nil, naming name: String) {
    let error = reported { _ = try read(config, processor: processor) }
    #expect(error is ConfigError && error?.exitStatus == .badData, "\(name)")
    let line = error?.description ?? ""
    #expect(line.contains(name) && !line.contains("\n"), "\(line)")
    #expect(line.hasPrefix("config.json: ") || line.hasPrefix("processor_config.json: "))
  }

  @Test func partsThatAreNotThere() {
    #expect(reported { _ = try ModelConfig(configFiles: [:]) }?.description.contains("is missing") == true)
    Self.expectRefusal("{}", naming: "unnamed")
    Self.expectRefusal(#"{"model_type": "deepseek_vl_v2"}"#, naming: "vision_config")
    Self.expectRefusal(
      #"{"model_type": "deepseek_vl_v2", "vision_config": {}, "language_config": null}"#,
      naming: "language_config")
    Self.expectRefusal(
      #"{"model_type": "deepseek_vl_v2", "vision_config": [], "language_config": {}}"#,
      naming: "vision_config")
  }

  @Test(arguments: [
    "image_size", "patch_size", "width", "layers", "heads", "mlp_ratio",
  ])
  func sizesOfTheTower(key: String) {
    let values = [
      "0", "-1", "1e30", "9223372036854775807", "99999999999999999999", "\"24\"", "true", "[1]", "{}",
    ]
    for value in values + (key == "mlp_ratio" ? ["1e-30"] : ["1.5", "1048577"]) {
      Self.expectRefusal(Self.config(vision: "\"\(key)\": \(value)"), naming: key)
    }
  }

  @Test(arguments: [
    "vocab_size", "hidden_size", "num_hidden_layers", "intermediate_size", "moe_intermediate_size",
    "max_position_embeddings", "num_attention_heads", "kv_lora_rank", "q_lora_rank", "qk_nope_head_dim",
    "qk_rope_head_dim", "v_head_dim", "n_routed_experts", "num_experts_per_tok", "n_group", "topk_group",
    "moe_layer_freq", "first_k_dense_replace", "n_shared_experts", "bos_token_id", "eos_token_id",
  ])
  func sizesOfTheLanguageModel(key: String) {
    var values = [
      "-1", "1e30", "9223372036854775807", "99999999999999999999", "1.5", "\"24\"", "false", "[1]",
    ]
    if !["first_k_dense_replace", "n_shared_experts", "bos_token_id", "eos_token_id"].contains(key) {
      values.append("0")
    }
    for value in values {
      let others = [("n_routed_experts", "8"), ("num_experts_per_tok", "2")].filter { $0.0 != key }
      let members = (others + [(key, value)]).map { "\"\($0.0)\": \($0.1)" }.joined(separator: ", ")
      Self.expectRefusal(Self.config(language: members), naming: key)
    }
  }

  @Test(arguments: [
    ("heads", #""width": 100, "heads": 3"#, ""), ("image_size", #""image_size": 14, "patch_size": 16"#, ""),
    ("image_size", #""image_size": 8192"#, ""), ("layers", #""layers": 1025"#, ""),
    ("width", #""width": {"clip": 1}"#, ""), ("mlp_ratio", #""mlp_ratio": 1025"#, ""),
    ("num_attention_heads", "", #""use_mla": false, "hidden_size": 100, "num_attention_heads": 3"#),
    ("num_attention_heads", "", #""use_mla": false, "hidden_size": 96, "num_attention_heads": 32"#),
    ("num_attention_heads", "", #""use_mla": false, "num_attention_heads": 32, "num_key_value_heads": 5"#),
    ("num_key_value_heads", "", #""use_mla": false, "num_attention_heads": 32, "num_key_value_heads": 64"#),
    ("qk_rope_head_dim", "", #""qk_rope_head_dim": 63"#), ("use_mla", "", #""use_mla": 1"#),
    ("topk_method", "", #""topk_method": "best", "n_routed_experts": 8, "num_experts_per_tok": 2"#),
    ("scoring_func", "", #""scoring_func": "relu", "n_routed_experts": 8, "num_experts_per_tok": 2"#),
    ("n_group", "", #""n_group": 3, "n_routed_experts": 8, "num_experts_per_tok": 2"#),
    ("topk_group", "", #""n_group": 2, "topk_group": 3, "n_routed_experts": 8, "num_experts_per_tok": 2"#),
    (
      "topk_group", "",
      #""n_group": 4, "topk_group": 1, "topk_method": "noaux_tc", "n_routed_experts": 8, "num_experts_per_tok": 3"#
    ),
    ("num_experts_per_tok", "", #""n_routed_experts": 8"#),
    ("num_experts_per_tok", "", #""n_routed_experts": 8, "num_experts_per_tok": 9"#),
    (
      "routed_scaling_factor", "",
      #""n_routed_experts": 8, "num_experts_per_tok": 1, "routed_scaling_factor": 1e300"#
    ),
    ("norm_topk_prob", "", #""n_routed_experts": 8, "num_experts_per_tok": 1, "norm_topk_prob": "no""#),
    ("n_routed_experts", "", #""n_routed_experts": 4096, "num_experts_per_tok": 1"#),
    ("rope_scaling", "", #""rope_scaling": {"type": "yarn"}"#), ("rope_theta", "", #""rope_theta": 0"#),
    ("rope_theta", "", #""rope_theta": 1e300"#), ("rms_norm_eps", "", #""rms_norm_eps": -1e-6"#),
    ("rms_norm_eps", "", #""rms_norm_eps": 1e-300"#), ("hidden_act", "", #""hidden_act": "gelu\n""#),
    ("attention_bias", "", #""attention_bias": true"#), ("bos_token_id", "", #""vocab_size": 648"#),
    ("eos_token_id", "", #""vocab_size": 648, "bos_token_id": 1, "eos_token_id": 648"#),
  ])
  func valuesThatDoNotFit(key: String, vision: String, language: String) {
    Self.expectRefusal(Self.config(vision: vision, language: language), naming: key)
  }

  @Test(arguments: [
    ("projector_type", #""projector_type": "linear""#), ("mlp_ratio", #""mlp_ratio": 2"#),
    ("token_pooling", #""token_pooling": true"#), ("downsample_ratio", #""downsample_ratio": 0"#),
    ("downsample_ratio", #""downsample_ratio": 17"#), ("depth", #""depth": 0"#), ("depth", #""depth": 17"#),
    ("input_dim", #""input_dim": 1025"#), ("n_embed", #""n_embed": 4095"#), ("n_embed", #""n_embed": "x""#),
  ])
  func projectorsThatDoNotFit(key: String, projector: String) {
    Self.expectRefusal(Self.config(projector: projector), naming: "projector_config." + key)
  }

  @Test(arguments: [
    ("candidate_resolutions", #""candidate_resolutions": []"#),
    ("candidate_resolutions", #""candidate_resolutions": [[384]]"#),
    ("candidate_resolutions", #""candidate_resolutions": [[384, 384], [384, 400]]"#),
    ("candidate_resolutions", #""candidate_resolutions": [[768, 384]]"#),
    ("candidate_resolutions", #""candidate_resolutions": [[384, 384], [0, 384]]"#),
    ("candidate_resolutions", #""candidate_resolutions": [[384, 384], [-384, 384]]"#),
    ("candidate_resolutions", #""candidate_resolutions": [[384, 384], [65280, 65280]]"#),
    ("candidate_resolutions", #""candidate_resolutions": [[384, 384], [1e300, 384]]"#),
    ("candidate_resolutions", #""candidate_resolutions": {"a": 1}"#), ("patch_size", #""patch_size": 14"#),
    ("downsample_ratio", #""downsample_ratio": 4"#), ("image_mean", #""image_mean": [0.5]"#),
    ("image_mean", #""image_mean": [0.5, 0.5, 2]"#), ("image_mean", #""image_mean": [0.5, 0.5, "x"]"#),
    ("image_std", #""image_std": [0.5, 0.5, 0]"#), ("normalize", #""normalize": false"#),
    ("image_token", #""image_token": 7"#), ("pad_token", #""pad_token": []"#),
  ])
  func processorsThatDoNotFit(key: String, processor: String) {
    Self.expectRefusal(Self.config(), processor: "{\(processor)}", naming: key)
  }

  @Test(arguments: [
    "", "null", "[]", "7", "{", "{} {}", #"{"a": 01}"#, #"{"a": NaN}"#, #"{"a": 1, "a": 1}"#,
    #"{"a": "\ud800"}"#,
    #"{"a": 1e999}"#, #"{'a': 1}"#, "{\"a\": \"\n\"}", "{,}", #"{"a": tru}"#,
  ])
  func textsThatAreNotJSON(text: String) {
    Self.expectRefusal(text, naming: "config.json")
    Self.expectRefusal(Self.config(), processor: text, naming: "processor_config.json")
  }

  /// Deep or branching texts take no longer than their length.
  @Test func deepTextsAreRefusedQuickly() {
    let start = ContinuousClock.now
    for (open, inside, close) in [
      ("[", "", "]"), ("{\"a\":", "1", "}"), ("[[1],", "\"x\"", "]"), ("[", "", ""),
    ] {
      for depth in [100, 100_000] {
        let text = String(repeating: open, count: depth) + inside + String(repeating: close, count: depth)
        Self.expectRefusal(text, naming: "config.json")
        Self.expectRefusal("{\"x\": \(text)}", naming: "config.json")
      }
    }
    #expect(ContinuousClock.now - start < .seconds(2))
  }
}
