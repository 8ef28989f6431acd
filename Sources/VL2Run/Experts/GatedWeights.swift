/// The three matrices of a gated feed-forward block: down(silu(gate x) * up x).
package struct GatedWeights {
  package var gate: Linear
  package var up: Linear
  package var down: Linear

  /// - Parameter name: the checkpoint's name without ".gate_proj.weight".
  package init(_ weights: Weights, _ name: String, hidden: Int, inner: Int) throws {
    gate = Linear(try weights.matrix(name + ".gate_proj.weight", rows: inner, columns: hidden))
    up = Linear(try weights.matrix(name + ".up_proj.weight", rows: inner, columns: hidden))
    down = Linear(try weights.matrix(name + ".down_proj.weight", rows: hidden, columns: inner))
  }

  package var inner: Int { gate.outputs }

  /// Whether kernels multiply gate and up by int8 rows.
  package var takesInt8: Bool { gate.takesInt8 && up.takesInt8 }
}
