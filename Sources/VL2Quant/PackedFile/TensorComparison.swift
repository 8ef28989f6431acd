extension PackedFile {
  /// The tensors of a section that have different packed bytes in another file. Reads the section in both
  /// files if their checksums differ.
  ///
  /// - Returns: names, in the section's order. They include tensors that the other file lacks or has in
  ///   another code or shape.
  /// - Throws: `PackedFileError` for a section that is not there or damaged.
  public func tensorsThatDiffer(in section: String, from other: PackedFile) throws -> [String] {
    guard let mine = manifest.sections.first(where: { $0.name == section }) else {
      throw PackedFileError.invalid(path: path, field: "section \(section)", problem: "is missing")
    }
    guard let theirs = other.manifest.sections.first(where: { $0.name == section }) else {
      return mine.tensors.map(\.name)
    }
    if mine.sha256 == theirs.sha256, mine.tensors == theirs.tensors { return [] }
    let others = Dictionary(uniqueKeysWithValues: theirs.tensors.map { ($0.name, $0) })
    return try withSectionBytes(section) { bytes in
      try other.withSectionBytes(section) { otherBytes in
        mine.tensors.filter { tensor in
          guard let twin = others[tensor.name], twin.code == tensor.code, twin.shape == tensor.shape else {
            return true
          }
          return !Self.haveSameBlocks(tensor, bytes, twin, otherBytes)
        }.map(\.name)
      }
    }
  }

  /// Whether two tensors of the same code and shape have the same bytes. Compares block by block, because the
  /// steps between their blocks may differ.
  private static func haveSameBlocks(
    _ a: TensorEntry, _ bytesOfA: UnsafeRawBufferPointer, _ b: TensorEntry, _ bytesOfB: UnsafeRawBufferPointer
  ) -> Bool {
    let blocks = a.code == .plain ? 1 : (WeightExtent(a).rows + 15) / 16
    let length = a.byteCount / blocks
    return (0..<blocks).allSatisfy { block in
      let (first, second) = (a.offset + block * a.blockStep, b.offset + block * b.blockStep)
      return UnsafeRawBufferPointer(rebasing: bytesOfA[first..<first + length])
        .elementsEqual(UnsafeRawBufferPointer(rebasing: bytesOfB[second..<second + length]))
    }
  }
}
