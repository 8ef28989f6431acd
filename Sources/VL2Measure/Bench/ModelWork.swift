import VL2Quant
import VL2Run

/// Multiply-adds that a model's stages need: those with weights, done as int8 products, and those inside
/// attention.
struct ModelWork {
  struct Count {
    var weights = 0.0
    var attention = 0.0
  }

  /// Tower and projector, one tile.
  let tile: Count
  /// A prompt of the given number of tokens: each goes through every layer and the experts picked for it, the
  /// last one through the head.
  func prompt(tokens: Int) -> Count {
    let n = Double(tokens)
    return Count(weights: token * n + head, attention: n * (n + 1) / 2 * pair)
  }

  private let token, head, pair: Double

  init(_ file: PackedFile) {
    let sections = Dictionary(
      file.manifest.sections.map { ($0.name, Self.weights($0)) }, uniquingKeysWith: { first, _ in first })
    let (config, vision) = (file.config.language, file.config.vision)
    var token = 0.0
    for layer in 0..<config.layers {
      token += sections["layer.\(layer)"] ?? 0
      guard let routing = config.routing, config.hasExperts(layer: layer) else { continue }
      let all = (0..<routing.experts).reduce(0.0) { $0 + (sections["layer.\(layer).expert.\($1)"] ?? 0) }
      token += all / Double(routing.experts) * Double(routing.expertsPerToken)
    }
    self.token = token
    head = sections["head"] ?? 0
    // One query with one key and its value, in all layers.
    switch config.attention {
    case .mha(let heads, _, let size): pair = Double(config.layers * heads * 2 * size)
    case .mla(let heads, _, _, let nope, let rope, let value):
      pair = Double(config.layers * heads * (nope + rope + value))
    }
    let patches = Double(vision.patches)
    let tower = sections.filter { $0.key.hasPrefix("vision.") }.values.reduce(0, +)
    let rows = Double(ImageTokens(file.config.processor).tileRows)
    tile = Count(
      weights: tower * patches + (sections["projector"] ?? 0) * rows * rows,
      attention: Double(vision.layers * 2 * vision.width) * patches * patches)
  }

  /// Weights of the matrices that a section holds.
  private static func weights(_ section: SectionEntry) -> Double {
    section.tensors.reduce(0.0) { sum, tensor in
      tensor.code == .plain ? sum : sum + tensor.shape.reduce(1.0) { $0 * Double($1) }
    }
  }
}
