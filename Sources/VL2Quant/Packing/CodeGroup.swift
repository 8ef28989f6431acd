/// Matrices that get one code together, when codes are chosen for a budget.
///
/// Only matrices that are multiplied take part: the embedding is looked up and stays int8, routers stay float32.
package struct CodeGroup: Sendable, Equatable {
  package struct Matrix: Sendable, Equatable {
    package var name: String
    package var shape: [Int]
    /// How much the matrix's relative error counts (`CodeLoss`).
    package var share: Double

    package init(name: String, shape: [Int], share: Double) {
      (self.name, self.shape, self.share) = (name, shape, share)
    }
  }

  /// Patterns for a recipe. They match the group's matrices and no others.
  package var patterns: [String]
  package var matrices: [Matrix]

  package init(patterns: [String], matrices: [Matrix]) {
    (self.patterns, self.matrices) = (patterns, matrices)
  }

  /// What the group is called in a table.
  package var name: String { patterns[0] + (patterns.count > 1 ? ", \(patterns.count - 1) more" : "") }

  /// Number of weights.
  package var weights: Int { matrices.reduce(0) { $0 + $1.shape.reduce(1, *) } }

  /// The groups of a model, in the order of the packed file: the tower's blocks each as a whole, every matrix of
  /// attention by itself, gate and up of dense, shared and routed experts together, because they lie side by side where
  /// they have one code, and each layer's routed experts as one, because which of them are wanted is not known.
  ///
  /// - Parameter rows: how many rows went into a matrix while statistics were collected.
  package static func groups(of config: ModelConfig, rows: (String) -> Int) -> [CodeGroup] {
    var groups: [CodeGroup] = []
    var places: [String: Int] = [:]
    for section in ModelLayout(config).sections where section.name != "embedding" {
      for tensor in section.tensors where tensor.kind == .matrix {
        let (key, pattern) = Self.key(of: tensor.name)
        let place = places[key] ?? groups.count
        if place == groups.count {
          places[key] = place
          groups.append(CodeGroup(patterns: [], matrices: []))
        }
        if !groups[place].patterns.contains(pattern) { groups[place].patterns.append(pattern) }
        groups[place].matrices.append(Matrix(name: tensor.name, shape: tensor.shape, share: 0))
      }
    }
    for index in groups.indices { groups[index].setShares(config, rows: rows) }
    return groups
  }

  /// What matrices of one group have in common, and the pattern that stands for this one.
  private static func key(of name: String) -> (group: String, pattern: String) {
    var steps = name.split(separator: ".", omittingEmptySubsequences: false).map(String.init)
    if name.hasPrefix("vision.blocks."), steps.count > 3 {
      let pattern = steps[..<3].joined(separator: ".") + ".*"
      return (pattern, pattern)
    }
    if let place = steps.firstIndex(of: "experts"), place + 1 < steps.count { steps[place + 1] = "*" }
    let pattern = steps.joined(separator: ".")
    return (
      pattern.hasSuffix(".up_proj.weight")
        ? pattern.dropLast(".up_proj.weight".count) + ".gate_proj.weight" : pattern, pattern
    )
  }

  /// The head and the projector's matrices count 1: what they compute is what comes out. Of a stack of blocks, each
  /// matrix counts one block's share of it, and the decoder's layers are two blocks each. Routed and shared experts have
  /// half of their block each, an expert as much of it as it has of the rows.
  private mutating func setShares(_ config: ModelConfig, rows: (String) -> Int) {
    let pattern = patterns[0]
    let block =
      pattern.hasPrefix("language.model.layers.")
      ? 1 / Double(2 * config.language.layers)
      : pattern.hasPrefix("vision.") ? 1 / Double(2 * max(1, config.vision.layers)) : 1
    let isRouted = pattern.contains(".mlp.experts.")
    let half = (isRouted || pattern.contains(".mlp.shared_experts.")) && config.language.sharedWidth > 0
    let counts = matrices.map { Double(rows($0.name)) }
    // Gate and up each have all rows of an expert.
    let all = counts.reduce(0, +) / Double(patterns.count)
    for index in matrices.indices {
      var share = block / (half ? 2 : 1)
      if isRouted {
        share *= all > 0 ? counts[index] / all : Double(patterns.count) / Double(matrices.count)
      }
      matrices[index].share = share
    }
  }
}
