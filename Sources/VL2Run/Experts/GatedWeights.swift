import VL2Quant

/// The three matrices of a gated feed-forward block: down(silu(gate x) * up x).
package struct GatedWeights: BitwiseCopyable {
  package var gate: Linear
  package var up: Linear
  package var down: Linear

  /// - Parameter name: the checkpoint's name without ".gate_proj.weight".
  package init(_ weights: Weights, _ name: String, hidden: Int, inner: Int) throws {
    gate = Linear(try weights.matrix(name + ".gate_proj.weight", rows: inner, columns: hidden))
    up = Linear(try weights.matrix(name + ".up_proj.weight", rows: inner, columns: hidden))
    down = Linear(try weights.matrix(name + ".down_proj.weight", rows: hidden, columns: inner))
  }

  /// Weights of a section that lies, or will lie, at an address given by the caller.
  package init(
    _ file: PackedFile, _ name: String, hidden: Int, inner: Int, at address: UnsafeRawPointer
  ) throws {
    func linear(_ part: String, _ rows: Int, _ columns: Int) throws -> Linear {
      Linear(try file.matrix("\(name).\(part)_proj.weight", rows: rows, columns: columns) { _ in address })
    }
    gate = try linear("gate", inner, hidden)
    up = try linear("up", inner, hidden)
    down = try linear("down", hidden, inner)
  }

  /// The same weights in a section that lies `bytes` further on.
  package func moved(by bytes: Int) -> Self {
    var moved = self
    moved.gate.matrix.blocks += bytes
    moved.up.matrix.blocks += bytes
    moved.down.matrix.blocks += bytes
    return moved
  }

  package var inner: Int { gate.outputs }

  /// Whether kernels multiply gate and up by int8 rows.
  package var takesInt8: Bool { gate.takesInt8 && up.takesInt8 }
}
