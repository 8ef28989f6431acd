import FoundationEssentials
import SystemSupport
import VL2Base

/// The machine's fonts, through FreeType, for letters that `GlyphTable` has not. Characters are drawn one after the other
/// from left to right, each from the first font that has it: scripts whose letters join or run to the left, and marks
/// above and below letters, come out roughly.
package final class SystemFonts {
  /// FreeType by the name that Debian's package `libfreetype6` gives it.
  package static let library = "libfreetype.so.6"

  /// Where Debian's packages and a user's own fonts are.
  package static var folders: [String] {
    let home = PathText.expandingHome("~")
    let data = ProcessInfo.processInfo.environment["XDG_DATA_HOME"].flatMap { $0.hasPrefix("/") ? $0 : nil }
    return [
      "/usr/share/fonts", "/usr/local/share/fonts", (data ?? home + "/.local/share") + "/fonts",
      home + "/.fonts",
    ]
  }

  private var freetype: vl2_freetype
  private let files: [String]
  /// What was opened so far, in the order of `files`; nil for what is no font.
  private var fonts: [UnsafeMutableRawPointer?] = []

  /// nil where FreeType is missing.
  package init?(library: String = SystemFonts.library, folders: [String] = SystemFonts.folders) {
    freetype = vl2_freetype()
    guard vl2_freetype_open(library, &freetype) != 0 else { return nil }
    var names: [String] = []
    for folder in folders { Self.gather(folder, depth: 0, into: &names) }
    files = names.map { (path: $0, rank: Self.rank($0)) }.sorted {
      $0.rank == $1.rank ? $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) : $0.rank < $1.rank
    }.map(\.path)
  }

  deinit {
    for case let font? in fonts { vl2_font_close(&freetype, font) }
    vl2_freetype_close(&freetype)
  }

  // MARK: - Drawing

  /// A line of text in letters whose em is `size` pixels; what does not fit into `mostWidth` pixels is cut off.
  ///
  /// - Returns: the line, and the characters of it that no font has. They are drawn as empty frames.
  package func strip(_ text: String, size: Int, mostWidth: Int) -> (
    strip: TextStrip, missing: [Unicode.Scalar]
  ) {
    var strip = TextStrip(width: mostWidth, height: size * 5 / 4)
    var missing: [Unicode.Scalar] = []
    var place = 0
    // Selectors of variants and joiners are not seen.
    for scalar in text.unicodeScalars where !scalar.properties.isDefaultIgnorableCodePoint {
      guard place < mostWidth else { break }
      var glyph = vl2_glyph()
      if let font = font(with: scalar),
        vl2_font_draw(&freetype, font, scalar.value, UInt32(size), &glyph) != 0
      {
        for row in 0..<Int(glyph.height) {
          for column in 0..<Int(glyph.width) {
            strip.cover(
              place + Int(glyph.left) + column, size - Int(glyph.top) + row,
              glyph.coverage[row * Int(glyph.step) + column])
          }
        }
        place += max(0, Int(glyph.advance))
      } else {
        let scale = max(1, size / GlyphTable.height)
        strip.draw(GlyphTable.frame, x: place, y: size - GlyphTable.height * scale, scale: scale)
        missing.append(scalar)
        place += GlyphTable.advance * scale
      }
    }
    return (strip.prefix(place), missing)
  }

  /// The first font that has a character.
  private func font(with scalar: Unicode.Scalar) -> UnsafeMutableRawPointer? {
    for index in files.indices {
      if index == fonts.count { fonts.append(vl2_font_open(&freetype, files[index])) }
      if let font = fonts[index], vl2_font_has(&freetype, font, scalar.value) != 0 { return font }
    }
    return nil
  }

  // MARK: - Finding

  private static let endings = [".ttf", ".otf", ".ttc", ".otc"]
  /// No machine needs more for labels.
  private static let mostFiles = 2000

  private static func gather(_ folder: String, depth: Int, into files: inout [String]) {
    guard depth < 8, let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return }
    for name in names.sorted() where files.count < mostFiles {
      let path = folder + "/" + name
      if endings.contains(where: name.lowercased().hasSuffix) {
        files.append(path)
      } else if FileStatus(path)?.isFolder == true {
        gather(path, depth: depth + 1, into: &files)
      }
    }
  }

  /// Upright letters without serifs first, slanted and narrow ones last.
  private static func rank(_ path: String) -> Int {
    let name = path.dropFirst(PathText.folder(of: path).count).lowercased()
    let isPlain = ["bold", "italic", "oblique", "mono", "condensed", "light", "thin", "black", "math"]
      .allSatisfy { !name.contains($0) }
    return (isPlain ? 0 : 2) + (name.contains("sans") ? 0 : 1)
  }
}
