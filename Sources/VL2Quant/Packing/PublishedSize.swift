/// The published sizes of DeepSeek-VL2, for models with random weights.
/// Source: config.json of deepseek-ai/deepseek-vl2-tiny, -small and deepseek-vl2.
public enum PublishedSize: String, Sendable, CaseIterable {
  case tiny, small, base

  /// Config files with the published values, by name.
  package var configFiles: [String: String] {
    [
      "config.json": """
      {"architectures":["DeepseekVLV2ForCausalLM"],"model_type":"deepseek_vl_v2","candidate_resolutions":\
      \(Self.resolutions),"global_view_pos":"head","tile_tag":"2D","torch_dtype":"bfloat16",\
      "language_config":{"architectures":["DeepseekV2ForCausalLM"],"model_type":"deepseek_v2",\
      "torch_dtype":"bfloat16","max_position_embeddings":4096,"n_shared_experts":2,"num_experts_per_tok":6,\
      "first_k_dense_replace":1,"n_group":1,"topk_group":1,\(decoder)},\
      "projector_config":{"model_type":"mlp_projector","n_embed":\(hiddenSize),"input_dim":1152},\
      "vision_config":{"model_type":"vision","model_name":"siglip_so400m_patch14_384","image_size":384,\
      "patch_size":14,"width":1152,"layers":27,"heads":16,"mlp_ratio":3.7362}}
      """,
      "processor_config.json": """
      {"processor_class":"DeepseekVLV2Processor","candidate_resolutions":\(Self.resolutions),"patch_size":14,\
      "downsample_ratio":2,"image_mean":[0.5,0.5,0.5],"image_std":[0.5,0.5,0.5],"normalize":true,\
      "image_token":"<image>","pad_token":"\(ByteTokenizer.padding)","add_special_token":false,\
      "sft_format":"deepseek","mask_prompt":false,"ignore_id":-100}
      """,
      "tokenizer_config.json": """
      {"tokenizer_class":"LlamaTokenizerFast","bos_token":"\(ByteTokenizer.begin)",\
      "eos_token":"\(ByteTokenizer.end)","pad_token":"\(ByteTokenizer.padding)","add_bos_token":false,\
      "add_eos_token":false,"model_max_length":4096}
      """,
    ]
  }

  /// The id of the begin token; end and padding follow it.
  package var beginToken: Int { self == .small ? 100_000 : 0 }

  private var hiddenSize: Int {
    switch self {
    case .tiny: 1280
    case .small: 2048
    case .base: 2560
    }
  }

  /// The members of `language_config` that differ between the sizes.
  private var decoder: String {
    let mla = """
      "use_mla":true,"q_lora_rank":null,"kv_lora_rank":512,"qk_nope_head_dim":128,"qk_rope_head_dim":64,\
      "v_head_dim":128
      """
    let tokens =
      "\"bos_token_id\":\(beginToken),\"eos_token_id\":\(beginToken + 1),\"hidden_size\":\(hiddenSize)"
    return switch self {
    case .tiny:
      """
      \(tokens),"vocab_size":129280,"intermediate_size":6848,"moe_intermediate_size":896,\
      "num_hidden_layers":12,"num_attention_heads":10,"num_key_value_heads":10,"n_routed_experts":64,\
      "topk_method":"greedy","use_mla":false,"q_lora_rank":null,"kv_lora_rank":null,"qk_nope_head_dim":0,\
      "qk_rope_head_dim":0,"v_head_dim":0
      """
    case .small:
      """
      \(tokens),"vocab_size":102400,"intermediate_size":10944,"moe_intermediate_size":1408,\
      "num_hidden_layers":27,"num_attention_heads":16,"num_key_value_heads":16,"n_routed_experts":64,\
      "topk_method":"greedy",\(mla)
      """
    case .base:
      """
      \(tokens),"vocab_size":129280,"intermediate_size":12288,"moe_intermediate_size":1536,\
      "num_hidden_layers":30,"num_attention_heads":32,"num_key_value_heads":32,"n_routed_experts":72,\
      "topk_method":"noaux_tc","scoring_func":"sigmoid","norm_topk_prob":true,"routed_scaling_factor":2.0,\(mla)
      """
    }
  }

  private static let resolutions: String = {
    let tiles = [
      (1, 1), (1, 2), (2, 1), (1, 3), (3, 1), (1, 4), (4, 1), (2, 2), (1, 5), (5, 1), (1, 6), (6, 1), (2, 3),
      (3, 2), (1, 7), (7, 1), (1, 8), (8, 1), (2, 4), (4, 2), (1, 9), (9, 1), (3, 3),
    ]
    return "[" + tiles.map { "[\($0.0 * 384),\($0.1 * 384)]" }.joined(separator: ",") + "]"
  }()
}
