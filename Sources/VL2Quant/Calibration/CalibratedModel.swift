import VL2Base

/// The model that statistics belong to. Every packing of a checkpoint is the same model as the checkpoint.
package struct CalibratedModel: Sendable {
  /// What the checkpoint is called; two names may stand for the same model.
  package let name: String
  /// SHA-256 of the names and shapes of all tensors.
  package let layoutHash: String
  /// SHA-256 of some vectors that every packing holds as they are: the tower's last norm, the projector's newline and
  /// separator, the decoder's first norm. It tells models of one architecture apart.
  package let vectorsHash: String
  package let inputs: MatrixInputs

  /// - Throws: `CheckpointError` or `InputError` where the vectors cannot be read.
  package init(_ checkpoint: Checkpoint) throws {
    let window = WeightWindow()
    try self.init(checkpoint.name, checkpoint.config) { tensor, hash in
      let source = try checkpoint.tensor(tensor.name, shape: tensor.shape)
      hash.append(UnsafeRawBufferPointer(try window.weights(of: source, 0..<tensor.count)))
    }
  }

  /// - Throws: `PackedFileError` where the vectors cannot be read.
  package init(_ file: PackedFile) throws {
    try self.init(file.manifest.origin.source, file.config) { tensor, hash in
      hash.append(UnsafeRawBufferPointer(try file.plain(tensor.name, count: tensor.count)))
    }
  }

  private init(
    _ name: String, _ config: ModelConfig, append: (ModelLayout.Tensor, SHA256) throws -> Void
  ) throws {
    self.name = name
    let layout = ModelLayout(config)
    let tensors = layout.sections.flatMap(\.tensors)
    let text = tensors.map { tensor in
      "\(tensor.name) \(tensor.shape.map { "\($0)" }.joined(separator: "x"))\n"
    }
    layoutHash = Array(text.joined().utf8).withUnsafeBytes { sha256Hexadecimal($0) }
    let vectors = SHA256()
    for tensor in tensors where Self.vectors.contains(tensor.name) { try append(tensor, vectors) }
    vectorsHash = vectors.finish()
    inputs = MatrixInputs(layout)
  }

  private static let vectors: Set = [
    "vision.norm.weight", "vision.norm.bias", "image_newline", "view_seperator",  // spelled so
    "language.model.layers.0.input_layernorm.weight",
  ]
}
