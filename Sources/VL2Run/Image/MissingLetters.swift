/// Characters of labels that could not be drawn.
package struct MissingLetters {
  /// In the order of the labels, each once.
  package var scalars: [Unicode.Scalar] = []
  /// Whether FreeType itself is missing.
  package var isLibraryMissing = false

  mutating func add(_ more: [Unicode.Scalar]) {
    for scalar in more where !scalars.contains(scalar) { scalars.append(scalar) }
  }

  /// What is missing, and the Debian package that has it; nil where everything was drawn.
  package var note: String? {
    guard !scalars.isEmpty else { return nil }
    let shown =
      scalars.prefix(8).map { String($0) }.joined(separator: " ") + (scalars.count > 8 ? " ..." : "")
    let fonts = Set(scalars.map(Self.fontPackage)).sorted().joined(separator: ", ")
    let problem = "drawn as empty frames: \(shown)"
    return isLibraryMissing
      ? "\(problem); \(SystemFonts.library) is not installed: install libfreetype6, and for these letters \(fonts)"
      : "\(problem); no font here has them: install \(fonts)"
  }

  /// A package of Debian with a font that has a character.
  private static func fontPackage(_ scalar: Unicode.Scalar) -> String {
    switch scalar.value {
    // Latin, Greek, Cyrillic, Armenian, Hebrew, Arabic.
    case ..<0x700: "fonts-dejavu-core"
    case 0x1100...0x11FF, 0x2E80...0xA4CF, 0xA960...0xA97F, 0xAC00...0xD7FF, 0xF900...0xFAFF, 0xFE30...0xFE4F,
      0xFF00...0xFFEF, 0x20000...0x3FFFF:
      "fonts-noto-cjk (or the smaller fonts-wqy-zenhei)"
    default: "fonts-noto-core"
    }
  }
}
