import VL2Quant

/// The weights that the decoder reads to write one token.
package struct TokenWeights {
  /// Bytes: every layer without its experts, as many experts of each layer as a token visits, the head, and
  /// one row of the embedding. If the experts of a layer differ in size, their mean counts.
  package let bytes: Int
  /// Sections to read for the same number of bytes, apart from the embedding's row, in file order.
  let sections: [String]

  package init(_ file: PackedFile) {
    let config = file.config.language
    let lengths = Dictionary(
      file.manifest.sections.map { ($0.name, $0.rawLength) }, uniquingKeysWith: { first, _ in first })
    var bytes = lengths["head"] ?? 0
    var sections: [String] = []
    for layer in 0..<config.layers {
      sections.append("layer.\(layer)")
      bytes += lengths["layer.\(layer)"] ?? 0
      guard let routing = config.routing, config.hasExperts(layer: layer) else { continue }
      let experts = (0..<routing.experts).map { "layer.\(layer).expert.\($0)" }
      let all = experts.reduce(0) { $0 + (lengths[$1] ?? 0) }
      bytes += all / routing.experts * routing.expertsPerToken
      sections += experts.prefix(routing.expertsPerToken)
    }
    sections.append("head")
    if let embedding = file.manifest.sections.first(where: { $0.name == "embedding" })?.tensors.first {
      bytes += embedding.blockStep / 16  // a block holds 16 rows
    }
    self.bytes = bytes
    self.sections = sections
  }
}
