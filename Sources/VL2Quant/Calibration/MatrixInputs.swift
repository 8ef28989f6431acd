/// What goes into a model's matrices: the inputs that calibration adds up. Matrices that multiply the same rows
/// share one.
///
/// The embedding is looked up and routers stay float32, so neither has one.
package struct MatrixInputs: Sendable, Equatable {
  /// The rows that one matrix, or several side by side, multiply.
  package struct Input: Sendable, Equatable {
    /// The checkpoint's name of the first matrix that takes them: of queries, keys and values that of the queries, of
    /// gate and up that of the gate. Statistics have this name.
    package var name: String
    package var columns: Int
    /// The names of all matrices that take them, `name` first.
    package var matrices: [String]
    /// For a routed expert, what its place in the layer has in common with that of the other experts.
    package var pool: String?
  }

  /// In the order of the packed file.
  package let inputs: [Input]
  /// For each matrix by name, the place of its input.
  package let places: [String: Int]

  package init(_ layout: ModelLayout) {
    var inputs: [Input] = []
    var places: [String: Int] = [:]
    for section in layout.sections where section.name != "embedding" {
      for tensor in section.tensors where tensor.kind == .matrix {
        let place = Self.leaders(of: tensor.name).lazy.compactMap { places[$0] }.first ?? inputs.count
        if place == inputs.count {
          inputs.append(
            Input(name: tensor.name, columns: tensor.columns, matrices: [], pool: Self.pool(tensor.name)))
        }
        inputs[place].matrices.append(tensor.name)
        places[tensor.name] = place
      }
    }
    (self.inputs, self.places) = (inputs, places)
  }

  /// The matrices that take the same rows as this one where the model has them.
  private static func leaders(of name: String) -> [String] {
    let pairs: [(String, [String])] = [
      ("self_attn.k_proj.weight", ["self_attn.q_proj.weight"]),
      ("self_attn.v_proj.weight", ["self_attn.q_proj.weight"]),
      ("self_attn.kv_a_proj_with_mqa.weight", ["self_attn.q_a_proj.weight", "self_attn.q_proj.weight"]),
      ("up_proj.weight", ["gate_proj.weight"]),
    ]
    guard let (ending, leaders) = pairs.first(where: { name.hasSuffix($0.0) }) else { return [] }
    return leaders.map { name.dropLast(ending.count) + $0 }
  }

  /// `language.model.layers.1.mlp.experts.*.gate_proj.weight`; nil for what is in no expert.
  private static func pool(_ name: String) -> String? {
    var steps = name.split(separator: ".", omittingEmptySubsequences: false)
    guard let place = steps.firstIndex(of: "experts"), place + 1 < steps.count else { return nil }
    steps[place + 1] = "*"
    return steps.joined(separator: ".")
  }
}
