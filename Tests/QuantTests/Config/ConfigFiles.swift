import TestSupport
import Testing
import VL2Base
import VL2Quant

/// The config files of a small model, key by key, so that a test changes one key and nothing else.
struct ConfigFiles {
  /// Values are JSON.
  var root = ["architectures": #"["DeepseekVLV2ForCausalLM"]"#, "model_type": #""deepseek_vl_v2""#]
  var vision = [
    "image_size": "70", "patch_size": "14", "width": "144", "layers": "2", "heads": "2",
    "mlp_ratio": "1.8889",
  ]
  var projector: [String: String] = [:]
  var language = [
    "vocab_size": "648", "hidden_size": "128", "intermediate_size": "352", "moe_intermediate_size": "96",
    "num_hidden_layers": "3", "num_attention_heads": "2", "n_routed_experts": "8", "n_shared_experts": "2",
    "num_experts_per_tok": "2", "first_k_dense_replace": "1", "bos_token_id": "0", "eos_token_id": "1",
    "use_mla": "false",
  ]
  var processor: [String: String]? = [:]

  var texts: [String: String] {
    func object(_ members: [String: String]) -> String {
      "{" + members.sorted { $0.key < $1.key }.map { "\"\($0.key)\": \($0.value)" }.joined(separator: ", ")
        + "}"
    }
    var root = root
    root["vision_config"] = root["vision_config"] ?? object(vision)
    root["projector_config"] = root["projector_config"] ?? object(projector)
    root["language_config"] = root["language_config"] ?? object(language)
    var texts = ["config.json": object(root)]
    if let processor { texts["processor_config.json"] = object(processor) }
    return texts
  }

  func config() throws -> ModelConfig { try ModelConfig(configFiles: texts) }

  /// The line of the error that these files give; nil where they are fine.
  var complaint: String? {
    reported { _ = try config() }.map { error in
      #expect(error is FileError && error.kind == .badData)
      #expect(!error.description.contains("\n"))
      return error.description
    }
  }
}
