import VL2Base

/// What the names of a checkpoint's tensors say about the program that wrote it, where the model's own are not there or
/// are not what they should be.
struct ForeignTensors {
  let folder: String
  /// Their names, sorted by bytes.
  let names: [String]

  /// The beginnings of published names, and what they belong to.
  private static let parts = [
    ("vision.", "vision tower"), ("projector.", "projector"), ("language.", "language model"),
  ]

  /// Endings of names that programs give to what they make of a matrix, and what they are called.
  private static let quantizers = [
    (".g_idx", "GPTQ"), (".qweight", "AWQ"), (".absmax", "bitsandbytes"), (".SCB", "bitsandbytes"),
    (".weight_packed", "compressed-tensors"), (".weight_scale_inv", "FP8"), (".weight_scale", "FP8"),
    (".scales", "MLX"),
  ]

  /// Why a tensor that the model needs is missing; nil where nothing but that is known.
  func cause(ofMissing tensor: String) -> ForeignSourceError? {
    if let error = quantization() { return error }
    if let name = names.first(where: { $0.hasSuffix("." + tensor) }) {
      let prefix = String(name.dropLast(tensor.count))
      return .prefixedNames(folder: folder, prefix: prefix, example: tensor)
    }
    let published = Self.parts.map(\.0)
    let foreign = names.first { name in
      name.contains(".") && !published.contains { name.hasPrefix($0) }
    }
    guard let part = Self.parts.first(where: { tensor.hasPrefix($0.0) }),
      !names.contains(where: { $0.hasPrefix(part.0) })
    else { return nil }
    if let foreign { return .otherNames(folder: folder, example: foreign) }
    return .missingPart(folder: folder, part: part.1, prefix: part.0)
  }

  /// The program that quantised the weights; nil where nothing says so.
  func quantization() -> ForeignSourceError? {
    for (ending, method) in Self.quantizers {
      guard let name = names.first(where: { $0.hasSuffix(ending) }) else { continue }
      return .quantized(path: folder, place: "the tensor \(UntrustedText.quoted(name))", method: method)
    }
    return nil
  }

  /// Refuses a config that says that the weights are quantised.
  ///
  /// - Parameters:
  ///   - root: config.json.
  ///   - path: its path.
  /// - Throws: `ForeignSourceError.quantized`, `FileError`.
  static func refuseQuantization(_ root: ConfigObject, path: String) throws {
    let language = try root.object("language_config")
    for config in [root, language] {
      if config.has("quantization_config") {
        let method = try? config.object("quantization_config").string("quant_method")
        throw ForeignSourceError.quantized(
          path: path, place: "quantization_config",
          method: method.map(UntrustedText.line) ?? "method not named")
      }
      if config.has("quantization") {
        throw ForeignSourceError.quantized(path: path, place: "quantization", method: "MLX")
      }
    }
  }
}
