/// Everything that the config files say about a DeepSeek-VL2 model. The config decides every shape.
public struct ModelConfig: Sendable, Equatable {
  public var vision: VisionConfig
  public var projector: ProjectorConfig
  public var language: LanguageConfig
  public var processor: ProcessorConfig
}

/// The SigLIP-style vision tower (`vision_config`).
public struct VisionConfig: Sendable, Equatable {
  /// Side of a tile in pixels.
  public var imageSize: Int
  public var patchSize: Int
  public var width: Int
  public var layers: Int
  public var heads: Int
  /// Rows of `mlp.fc1`: `int(width * mlp_ratio)`.
  public var mlpWidth: Int

  /// Patches along a side; pixels that do not fill a patch are dropped.
  public var grid: Int { imageSize / patchSize }
  public var patches: Int { grid * grid }
  public var headSize: Int { width / heads }
}

/// The 2 x 2 projector from tower to language model (`projector_config`).
public struct ProjectorConfig: Sendable, Equatable {
  /// How many patches along each side are merged into one row.
  public var downsampleRatio: Int
  /// Linear layers, with GELU between them.
  public var depth: Int
  /// Whether the global view comes before the local tiles (`global_view_pos` "head").
  public var globalViewFirst: Bool
}

/// The mixture-of-experts decoder (`language_config`).
public struct LanguageConfig: Sendable, Equatable {
  public enum Attention: Sendable, Equatable {
    /// Plain multi-head attention (Tiny).
    case mha(heads: Int, keyValueHeads: Int, headSize: Int)
    /// Multi-head latent attention (Small, Base).
    case mla(
      heads: Int, queryRank: Int?, keyValueRank: Int, nopeHeadSize: Int, ropeHeadSize: Int,
      valueHeadSize: Int)
  }

  public struct Routing: Sendable, Equatable {
    public enum Scoring: String, Sendable { case softmax, sigmoid }
    public enum Method: String, Sendable {
      case greedy
      case groupLimitedGreedy = "group_limited_greedy"
      case noAuxTC = "noaux_tc"
    }
    public var experts: Int
    public var expertsPerToken: Int
    public var scoring: Scoring
    public var method: Method
    public var groups: Int
    public var keptGroups: Int
    public var normalized: Bool
    public var scalingFactor: Float
  }

  public var vocabularySize: Int
  public var hiddenSize: Int
  public var layers: Int
  public var attention: Attention
  /// Inner width of the dense feed-forward layers.
  public var denseWidth: Int
  /// Inner width of one routed expert.
  public var expertWidth: Int
  /// Inner width of the shared experts together (0 if there are none).
  public var sharedWidth: Int
  /// nil if no layer has experts.
  public var routing: Routing?
  public var firstDenseLayers: Int
  public var expertLayerFrequency: Int
  public var normEpsilon: Float
  public var ropeTheta: Float
  public var maxPositions: Int
  public var beginToken: Int
  /// Each of these ends an answer; there is one at least.
  public var endTokens: [Int]

  /// The token that is written at the end of a turn.
  public var endToken: Int { endTokens[0] }

  /// Whether layer `index` has routed experts.
  public func hasExperts(layer index: Int) -> Bool {
    routing != nil && index >= firstDenseLayers && index % expertLayerFrequency == 0
  }
}

/// What the published processor does to pictures and prompts (`processor_config.json`).
public struct ProcessorConfig: Sendable, Equatable {
  public struct Size: Sendable, Equatable {
    public var width: Int
    public var height: Int
    public init(width: Int, height: Int) {
      self.width = width
      self.height = height
    }
  }
  /// Canvas sizes in the order of the file; the first is one tile.
  public var candidateResolutions: [Size]
  public var patchSize: Int
  public var downsampleRatio: Int
  public var imageMean: [Float]
  public var imageStd: [Float]
  public var imageToken: String
  public var padToken: String

  public var tileSide: Int { candidateResolutions[0].width }
}
