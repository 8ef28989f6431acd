/// A section to be made: its place in the layout with the codes that the recipe chose.
package struct SectionPlan: Sendable {
  var name: String
  /// Their errors are 0 until the section is made.
  var tensors: [TensorEntry]
  /// Raw bytes.
  package var length: Int

  /// - Parameter importance: what columns count; nil where all count the same.
  /// - Throws: `PackingError` if the recipe has no code for a matrix, or a code that the matrix cannot have.
  package init(
    _ section: ModelLayout.Section, recipe: Recipe, importance: ColumnImportance? = nil
  ) throws {
    let codes = try section.tensors.map { tensor -> WeightCode in
      switch tensor.kind {
      case .plain: return .plain
      case .router: return .f32
      case .matrix:
        guard let code = recipe.code(for: tensor.name) else { throw PackingError.noCode(tensor: tensor.name) }
        return code
      }
    }
    guard let placement = SectionPlacement(section.tensors, codes: codes) else {
      throw PackingError.unsuitableCode(section: section.name)
    }
    name = section.name
    length = placement.length
    tensors = section.tensors.indices.map {
      TensorEntry(
        name: section.tensors[$0].name, shape: section.tensors[$0].shape, code: codes[$0],
        offset: placement.offsets[$0], blockStep: placement.blockSteps[$0], errorPPM: 0,
        importance: importance?[section.tensors[$0].name]?.source)
    }
  }

  /// Zeros the bytes after each plain tensor up to a multiple of 64. Matrices are written whole.
  func clearPadding(_ section: UnsafeMutableRawBufferPointer) {
    for tensor in tensors where tensor.code == .plain {
      let end = tensor.offset + tensor.shape.reduce(1, *) * MemoryLayout<Float>.size
      for index in end..<tensor.offset + tensor.blockStep { section[index] = 0 }
    }
  }

  /// The tensors with the errors that were measured, one for each.
  func tensors(with errors: [CodeError]) -> [TensorEntry] {
    zip(tensors, errors).map { tensor, error in
      var tensor = tensor
      tensor.errorPPM = error.partsPerMillion
      if tensor.importance != nil { tensor.weightedErrorPPM = error.weightedPartsPerMillion }
      return tensor
    }
  }

  /// Number of weights.
  var weights: Int { tensors.reduce(0) { $0 + $1.shape.reduce(1, *) } }
}
