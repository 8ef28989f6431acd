import VL2Base

/// Checks a manifest against the layout that its config demands: nothing in it is taken on trust.
struct ManifestCheck {
  let path: String
  let manifest: Manifest
  /// The last section must end here or earlier.
  let sectionsEnd: Int

  /// The largest raw length of each of the two tokeniser sections: far more than any vocabulary needs.
  private static let largestTokenizer = 64 << 20

  func run(_ layout: ModelLayout) throws {
    guard manifest.sections.count == layout.sections.count else {
      throw failure(
        "sections", "number \(manifest.sections.count), the config demands \(layout.sections.count)")
    }
    var end = FileHead.length
    for (entry, expected) in zip(manifest.sections, layout.sections) {
      guard entry.name == expected.name else {
        throw failure(
          "section \(UntrustedText.quoted(entry.name))", "stands where \(expected.name) belongs")
      }
      try checkRange(entry, after: end)
      end = entry.offset + entry.storedLength
      try checkTensors(entry, expected)
    }
  }

  private func failure(_ field: String, _ problem: String) -> PackedFileError {
    .invalid(path: path, field: field, problem: problem)
  }

  private func checkRange(_ entry: SectionEntry, after end: Int) throws {
    func require(_ condition: Bool, _ field: String, _ value: Int) throws {
      if !condition { throw failure("\(field) of section \(entry.name)", "is \(value)") }
    }
    try require(entry.offset >= end && entry.offset % FileHead.alignment == 0, "offset", entry.offset)
    try require(
      entry.storedLength >= 1 && entry.offset <= sectionsEnd
        && entry.storedLength <= sectionsEnd - entry.offset,
      "stored length", entry.storedLength)
    switch entry.encoding {
    case .raw: try require(entry.rawLength == entry.storedLength, "raw length", entry.rawLength)
    case .zstd:
      try require(
        entry.rawLength > entry.storedLength
          && (entry.rawLength - 1) / FileHead.largestExpansion < entry.storedLength,
        "raw length", entry.rawLength)
    }
    let digits = entry.sha256.utf8
    guard digits.count == 64,
      digits.allSatisfy({ ($0 >= 0x30 && $0 <= 0x39) || ($0 >= 0x61 && $0 <= 0x66) })
    else { throw failure("sha256 of section \(entry.name)", "is not 64 hexadecimal digits") }
  }

  private func checkTensors(_ entry: SectionEntry, _ expected: ModelLayout.Section) throws {
    guard entry.tensors.map(\.name) == expected.tensors.map(\.name) else {
      throw failure("tensors of section \(entry.name)", "are not those that the config demands")
    }
    if expected.tensors.isEmpty {
      guard entry.rawLength <= Self.largestTokenizer else {
        throw failure("raw length of section \(entry.name)", "is \(entry.rawLength)")
      }
      return
    }
    guard let placement = SectionPlacement(expected.tensors, codes: entry.tensors.map(\.code)) else {
      throw failure("codes of section \(entry.name)", "do not fit its tensors")
    }
    guard placement.length == entry.rawLength else {
      throw failure("raw length of section \(entry.name)", "is \(entry.rawLength), not \(placement.length)")
    }
    for (i, tensor) in entry.tensors.enumerated() {
      guard tensor.shape == expected.tensors[i].shape else {
        throw failure("shape of \(tensor.name)", "is \(tensor.shape), not \(expected.tensors[i].shape)")
      }
      guard tensor.offset == placement.offsets[i], tensor.blockStep == placement.blockSteps[i] else {
        throw failure("offset or block step of \(tensor.name)", "does not follow from the codes")
      }
      guard tensor.errorPPM >= 0 else {
        throw failure("errorPPM of \(tensor.name)", "is \(tensor.errorPPM)")
      }
    }
  }
}
