import Foundation
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// Config files of a checkpoint: every key, every default, everything that is refused.
@Suite struct ConfigTests {
  private static func golden(_ name: String) throws -> ModelConfig {
    let folder = Fixtures.checkpoint(name)
    var files: [String: String] = [:]
    for file in ["config.json", "processor_config.json", "tokenizer_config.json"] {
      files[file] = try String(contentsOfFile: "\(folder)/\(file)", encoding: .utf8)
    }
    return try ModelConfig(configFiles: files)
  }

  @Test func readsAPublishedConfig() throws {
    let config = try Self.golden("nano-mha")
    #expect(config.vision.imageSize == 70)
    #expect(config.vision.grid == 5)
    #expect(config.vision.mlpWidth == 272)  // int(144 * 1.8889), which is 272.0016
    #expect(config.vision.headSize == 72)
    #expect(config.projector.downsampleRatio == 2)
    #expect(config.projector.depth == 2)
    #expect(config.projector.globalViewFirst)
    #expect(config.language.attention == .mha(heads: 2, keyValueHeads: 2, headSize: 64))
    #expect(config.language.sharedWidth == 192)
    #expect(config.language.routing?.experts == 8)
    #expect(config.language.routing?.method == .greedy)
    #expect((0..<3).map { config.language.hasExperts(layer: $0) } == [false, true, true])
    #expect(config.processor.candidateResolutions.count == 23)
    #expect(config.processor.candidateResolutions[1] == .init(width: 70, height: 140))
    #expect(config.processor.tileSide == 70)
    #expect(config.processor.imageMean == [0.5, 0.5, 0.5])
  }

  /// The published Tiny states no architectures, no image size, no heads and no projector width.
  @Test func readsWhatThePublishedTinyLeavesOut() throws {
    var files = ConfigFiles()
    files.root["architectures"] = nil
    for key in ["image_size", "heads"] { files.vision[key] = nil }
    files.vision["width"] = "1152"
    files.vision["mlp_ratio"] = "3.7362"
    let config = try files.config()
    #expect(config.vision.imageSize == 384)
    #expect(config.vision.heads == 16)
    #expect(config.vision.mlpWidth == 4304)
    #expect(config.vision.patches == 729)
    #expect(config.processor.candidateResolutions == [.init(width: 384, height: 384)])
  }

  private static let defaults:
    (vision: [String: String], projector: [String: String], language: [String: String]) = (
      [
        "image_size": "384", "patch_size": "16", "width": "1024", "layers": "24", "heads": "16",
        "mlp_ratio": "4",
        "class_token": "false", "ignore_head": "true",
      ],
      [
        "projector_type": #""downsample_mlp_gelu""#, "depth": "2", "mlp_ratio": "1", "downsample_ratio": "2",
        "token_pooling": "false", "input_dim": "1024", "n_embed": "4096",
      ],
      [
        "vocab_size": "102400", "hidden_size": "4096", "intermediate_size": "11008",
        "moe_intermediate_size": "1407", "num_hidden_layers": "30", "num_attention_heads": "32",
        "num_key_value_heads": "32", "n_shared_experts": "null", "n_routed_experts": "null",
        "routed_scaling_factor": "1.0", "kv_lora_rank": "512", "q_lora_rank": "1536",
        "qk_rope_head_dim": "64",
        "v_head_dim": "128", "qk_nope_head_dim": "128", "topk_method": #""greedy""#, "n_group": "null",
        "topk_group": "null", "num_experts_per_tok": "null", "moe_layer_freq": "1",
        "first_k_dense_replace": "0",
        "norm_topk_prob": "false", "scoring_func": #""softmax""#, "hidden_act": #""silu""#,
        "max_position_embeddings": "2048", "rms_norm_eps": "1e-6", "bos_token_id": "100000",
        "eos_token_id": "100001", "rope_theta": "10000.0", "rope_scaling": "null", "attention_bias": "false",
        "use_mla": "true", "tie_word_embeddings": "false", "model_type": #""deepseek_v2""#,
      ]
    )

  private static let spelledOut = ConfigFiles(
    root: [
      "architectures": #"["DeepseekVLV2ForCausalLM"]"#, "model_type": #""deepseek_vl_v2""#,
      "tile_tag": #""2D""#, "global_view_pos": #""head""#, "candidate_resolutions": "[[384, 384]]",
    ], vision: defaults.vision, projector: defaults.projector, language: defaults.language,
    processor: [
      "candidate_resolutions": "[[384, 384]]", "patch_size": "16", "downsample_ratio": "2",
      "image_mean": "[0.5, 0.5, 0.5]", "image_std": "[0.5, 0.5, 0.5]", "normalize": "true",
      "image_token": #""<image>""#, "pad_token": #""<｜▁pad▁｜>""#, "sft_format": #""deepseek""#,
    ])

  @Test func absentKeysHaveThePublishedDefaults() throws {
    let full = try Self.spelledOut.config()
    let empty = ConfigFiles(root: [:], vision: [:], projector: [:], language: [:], processor: nil)
    #expect(try empty.config() == full)
    #expect(full.language.hiddenSize == 4096)
    #expect(
      full.language.attention
        == .mla(
          heads: 32, queryRank: 1536, keyValueRank: 512, nopeHeadSize: 128, ropeHeadSize: 64,
          valueHeadSize: 128))
    #expect(full.vision.mlpWidth == 4096)
    #expect(full.language.routing == nil)
  }

  @Test func eachAbsentOrNullKeyHasThePublishedDefault() throws {
    let full = try Self.spelledOut.config()
    for part in [\ConfigFiles.vision, \ConfigFiles.projector, \ConfigFiles.language] {
      for key in Self.spelledOut[keyPath: part].keys {
        var files = Self.spelledOut
        files[keyPath: part][key] = nil
        #expect(try files.config() == full, "without \(key)")
        // For the query's rank alone, null says something else than nothing.
        if key == "q_lora_rank" { continue }
        files[keyPath: part][key] = "null"
        #expect(try files.config() == full, "\(key) null")
      }
    }
  }

  /// The defaults of routing matter only where there are experts.
  @Test func routingDefaults() throws {
    let given = ["topk_method": #""greedy""#, "norm_topk_prob": "false", "scoring_func": #""softmax""#]
    var files = ConfigFiles()
    let bare = try files.config()
    files.language.merge(given) { $1 }
    files.language.merge(["moe_layer_freq": "1", "routed_scaling_factor": "1", "n_group": "1"]) { $1 }
    #expect(try files.config() == bare)
    files.language["topk_method"] = #""gready""#
    #expect(try files.config() == bare)
    files.language["n_group"] = "3"  // greedy routing looks at no groups
    #expect(try files.config() == bare)
    files.language["n_shared_experts"] = nil
    #expect(try files.config().language.sharedWidth == 0)
  }

  @Test func readsGroupsAndLatentAttention() throws {
    var files = ConfigFiles()
    files.language.merge([
      "use_mla": "true", "q_lora_rank": "null", "kv_lora_rank": "64", "qk_nope_head_dim": "32",
      "qk_rope_head_dim": "16", "v_head_dim": "24", "topk_method": #""noaux_tc""#,
      "scoring_func": #""sigmoid""#,
      "n_group": "4", "topk_group": "2", "routed_scaling_factor": "2.0", "norm_topk_prob": "true",
    ]) { $1 }
    let language = try files.config().language
    #expect(
      language.attention
        == .mla(
          heads: 2, queryRank: nil, keyValueRank: 64, nopeHeadSize: 32, ropeHeadSize: 16, valueHeadSize: 24))
    #expect(language.routing?.experts == 8)
    #expect(language.routing?.expertsPerToken == 2)
    #expect(language.routing?.scoring == .sigmoid)
    #expect(language.routing?.method == .noAuxTC)
    #expect(language.routing?.groups == 4)
    #expect(language.routing?.keptGroups == 2)
    #expect(language.routing?.normalized == true)
    #expect(language.routing?.scalingFactor == 2)
  }

  @Test func otherModelsAreRefusedByName() {
    var files = ConfigFiles()
    files.root["architectures"] = #"["DeepseekOCRForCausalLM"]"#
    #expect(files.complaint?.contains("DeepSeek-OCR") == true)
    files = ConfigFiles()
    files.root["architectures"] = nil
    files.vision["width"] = #"{"clip-l-14-224": {"heads": 16}, "sam_vit_b": {"heads": 12}}"#
    #expect(files.complaint?.contains("DeepSeek-OCR") == true)
    files = ConfigFiles()
    files.root["architectures"] = #"["LlavaForConditionalGeneration"]"#
    #expect(files.complaint?.contains("LlavaForConditionalGeneration") == true)
    files = ConfigFiles()
    files.root["model_type"] = "\"qwen2\\nvl\""
    #expect(files.complaint?.contains("qwen2") == true)
    #expect(throws: FileError.self) { try ModelConfig(configFiles: [:]) }
    #expect(throws: FileError.self) { try ModelConfig(configFiles: ["config.json": "{}"]) }
  }

  private struct Refusal: CustomStringConvertible, Sendable {
    var part: String
    var key: String
    var value: String
    var description: String { "\(part)\(key) \(value)" }
  }

  private static let refusals: [Refusal] = {
    let language = [
      "hidden_act": [#""gelu""#], "attention_bias": ["true"], "tie_word_embeddings": ["true"],
      "rope_scaling": [#"{"type": "yarn", "factor": 40}"#, #"{"factor": 2}"#],
      "vocab_size": ["0", "-1", "1e3", "99999999999999999999"],
      "hidden_size": ["0", "127", "\"128\"", "true", "9223372036854775807"],
      "num_hidden_layers": ["0", "100000"], "num_attention_heads": ["0", "3", "128", "4097"],
      "num_key_value_heads": ["3", "0"], "n_routed_experts": ["0", "4097", "8.5"],
      "num_experts_per_tok": ["null", "9", "0"], "n_shared_experts": ["-1", "1025"],
      "topk_method": [#""random""#, "7"], "scoring_func": [#""relu""#], "norm_topk_prob": ["1"],
      "routed_scaling_factor": ["1e300", "\"1\""], "rms_norm_eps": ["0", "-1", "1e-300"],
      "rope_theta": ["0", "1e39"], "moe_layer_freq": ["0"], "bos_token_id": ["648", "-1", "null", "[0]"],
      "eos_token_id": ["648", "[]", "[1, 648]", "[1, null]"],
      "rope_parameters": [
        #"{"rope_type": "yarn", "factor": 40}"#, #"{"rope_theta": 0}"#, #"{"partial_rotary_factor": 0.5}"#,
        "7",
      ], "use_mla": ["0"], "model_type": [#""llama""#],
      "max_position_embeddings": ["0"],
    ]
    let vision = [
      "image_size": ["0", "5000", "13"], "patch_size": ["0", "71"], "width": ["145", "{}", "0"],
      "layers": ["0"],
      "heads": ["0", "5"], "mlp_ratio": ["0", "-1", "1e30", "0.001"], "class_token": ["true"],
      "ignore_head": ["false"],
    ]
    let projector = [
      "projector_type": [#""linear""#], "mlp_ratio": ["2"], "downsample_ratio": ["0", "9"],
      "depth": ["0", "17"],
      "token_pooling": ["true"], "input_dim": ["1152"], "n_embed": ["2048"],
    ]
    let processor = [
      "candidate_resolutions": [
        "[]", "[[70, 71]]", "[[140, 70]]", "[[70, 0]]", "[[70]]", "[[70, 70], [70, 70.0]]", "7",
        "[[70, 35000]]",
      ],
      "patch_size": ["16"], "downsample_ratio": ["3"], "normalize": ["false"], "sft_format": [#""plain""#],
      "image_mean": ["[0.5, 0.5]", "[0.5, 0.5, 2]", "[0.5, 0.5, null]", "0.5"],
      "image_std": ["[0.5, 0.5, 0]", "[0.5, 0.5, -1]"], "image_token": [#""""#, "1"], "pad_token": [#""""#],
    ]
    let root = ["tile_tag": [#""1D""#], "global_view_pos": [#""middle""#], "vision_config": ["[]"]]
    var all: [Refusal] = []
    for (part, keys) in [
      ("", root), ("language_config.", language), ("vision_config.", vision),
      ("projector_config.", projector),
      ("processor_config.json: ", processor),
    ] {
      for (key, values) in keys.sorted(by: { $0.key < $1.key }) {
        all += values.map { Refusal(part: part, key: key, value: $0) }
      }
    }
    return all
  }()

  @Test(arguments: refusals) private func whatIsNotKnownIsRefusedByName(_ refusal: Refusal) {
    var files = ConfigFiles()
    switch refusal.part {
    case "": files.root[refusal.key] = refusal.value
    case "language_config.": files.language[refusal.key] = refusal.value
    case "vision_config.": files.vision[refusal.key] = refusal.value
    case "projector_config.": files.projector[refusal.key] = refusal.value
    default: files.processor = [refusal.key: refusal.value]
    }
    let complaint = files.complaint
    #expect(complaint != nil)
    // An image size that fits no patch is as much the patch's fault, and so on: the line names one of the two.
    let pairs = [
      "hidden_size": "num_attention_heads", "num_attention_heads": "num_key_value_heads", "width": "heads",
      "image_size": "patch_size",
    ]
    #expect(
      complaint?.contains(refusal.key) == true || complaint?.contains(pairs[refusal.key] ?? "\n") == true,
      "\(complaint ?? "")")
  }

  @Test func theBaseOfRotaryAnglesUnderEitherName() throws {
    for (theta, parameters, expected) in [
      (nil, #"{"rope_theta": 5000.0, "rope_type": "default"}"#, 5000), ("7000", "null", 7000),
      ("7000", #"{"rope_type": "default"}"#, 7000), (nil, #"{"type": "default"}"#, 10000),
      ("7000", #"{"rope_theta": 7000}"#, 7000),
    ] as [(String?, String, Float)] {
      for key in ["rope_parameters", "rope_scaling"] {
        var files = ConfigFiles()
        files.language["rope_theta"] = theta
        files.language[key] = parameters
        #expect(try files.config().language.ropeTheta == expected)
      }
    }
    var files = ConfigFiles()
    files.language["rope_theta"] = "7000"
    files.language["rope_parameters"] = #"{"rope_theta": 5000}"#
    #expect(files.complaint?.contains("rope_theta is 5000.0, but rope_theta beside it is 7000.0") == true)
  }

  @Test func tokensThatEndAnAnswer() throws {
    var files = ConfigFiles()
    #expect(try files.config().language.endTokens == [1])
    files.language["eos_token_id"] = "[7, 1, 9]"
    let language = try files.config().language
    #expect(language.endTokens == [7, 1, 9] && language.endToken == 7)
  }

  /// As editors write them.
  @Test func aByteOrderMarkIsSkipped() throws {
    var texts = ConfigFiles().texts
    for name in texts.keys { texts[name] = "\u{FEFF}" + (texts[name] ?? "") }
    #expect(try ModelConfig(configFiles: texts) == ConfigFiles().config())
  }

  @Test func groupsMustFit() {
    for (groups, kept) in [("3", "1"), ("8", "1"), ("4", "5"), ("null", "1"), ("4", "null"), ("0", "0")] {
      var files = ConfigFiles()
      files.language["topk_method"] = #""noaux_tc""#
      files.language["n_group"] = groups
      files.language["topk_group"] = kept
      #expect(files.complaint?.contains("group") == true, "\(groups) \(kept)")
    }
  }

  @Test func brokenTextsAreRefused() {
    let deep = String(repeating: "[", count: 1_000_000)
    let hidden = #"{"a": "\#(String(repeating: "]", count: 1_000_000))", "b": \#(deep)"#
    for text in [
      "", "{", "[]", "nul", "{\"a\": NaN}", "{} {}", "{\"a\": 1, \"a\": 2}", deep, hidden, "\u{0}",
    ] {
      #expect(throws: FileError.self) { try ModelConfig(configFiles: ["config.json": text]) }
      var files = ConfigFiles().texts
      files["processor_config.json"] = text
      #expect(throws: FileError.self) { try ModelConfig(configFiles: files) }
    }
  }
}
