import VL2Quant

/// The three matrices of a gated feed-forward block: down(silu(gate x) * up x).
package struct GatedWeights {
  package var gate: Linear
  package var up: Linear
  package var down: Linear

  /// - Parameter name: the checkpoint's name without ".gate_proj.weight".
  package init(_ file: PackedFile, _ name: String, hidden: Int, inner: Int) throws {
    gate = Linear(try file.matrix(name + ".gate_proj.weight", rows: inner, columns: hidden))
    up = Linear(try file.matrix(name + ".up_proj.weight", rows: inner, columns: hidden))
    down = Linear(try file.matrix(name + ".down_proj.weight", rows: hidden, columns: inner))
  }

  package var inner: Int { gate.outputs }
}

/// Gives the routed experts of a layer as they are asked for.
package protocol ExpertStore: AnyObject {
  /// The weights of an expert, valid until the next call of `begin`.
  func expert(layer: Int, _ index: Int) throws -> GatedWeights
  /// Tells which experts a layer will ask for next, in ascending order.
  func begin(layer: Int, experts: [Int]) throws
}

/// Experts as mapped sections of the packed file: nothing of an expert is read before a row is routed to it.
package final class MappedExpertStore: ExpertStore {
  private let file: PackedFile
  private let hidden: Int
  private let inner: Int
  private var known: [[GatedWeights?]]

  package init(_ file: PackedFile) {
    self.file = file
    let language = file.config.language
    hidden = language.hiddenSize
    inner = language.expertWidth
    known = .init(
      repeating: .init(repeating: nil, count: language.routing?.experts ?? 0), count: language.layers)
  }

  package func begin(layer: Int, experts: [Int]) throws {
    for index in experts where known[layer][index] == nil {
      file.willNeed(section: "layer.\(layer).expert.\(index)")
    }
  }

  package func expert(layer: Int, _ index: Int) throws -> GatedWeights {
    if let weights = known[layer][index] { return weights }
    let weights = try GatedWeights(
      file, "language.model.layers.\(layer).mlp.experts.\(index)", hidden: hidden, inner: inner)
    known[layer][index] = weights
    return weights
  }
}
