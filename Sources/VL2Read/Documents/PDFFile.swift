import VL2Base
import VL2Run

/// A PDF file, looked at by poppler's programs. They are started anew for each page, so that what a page does to them ends with
/// it.
package struct PDFFile: Sendable {
  package let path: String
  package let pageCount: Int
  private let programs: FilePrograms

  private static let package = "poppler-utils"
  /// More pages are no document that somebody wants to have read.
  private static let mostPages = 100_000
  /// Dots per inch: a line of 10 points has 28.
  private static let resolution = 200.0
  /// Pixels of the longer side, whatever size the page claims to have.
  private static let longestSide = 4000.0

  /// Asks how many pages there are.
  ///
  /// - Throws: `ReadError`, and what `FilePrograms.check` throws.
  package init(_ path: String, _ programs: FilePrograms) throws {
    self.path = path
    self.programs = programs
    let text = try Self.output(["pdfinfo", FilePrograms.word(path)], path, programs, atMost: 4 << 20)
    // A title may hold lines of its own, but they come before.
    guard let pages = Self.lines(text).last(where: { $0.hasPrefix("Pages:") })?.dropFirst(6).trimmed(),
      let count = Int(pages), count > 0
    else {
      throw ReadError.refused(path: path, program: "pdfinfo", reason: "it tells no number of pages")
    }
    pageCount = count
  }

  /// The pages of a range.
  ///
  /// - Throws: `ReadError`.
  package func pages(_ range: PageRange) throws -> ClosedRange<Int> {
    let last = range.last ?? pageCount
    guard range.first <= pageCount, last <= pageCount else {
      throw ReadError.noSuchPage(path: path, asked: max(range.first, range.last ?? 1), pages: pageCount)
    }
    guard last - range.first < Self.mostPages else {
      throw ReadError.tooManyPages(path: path, pages: pageCount, limit: Self.mostPages)
    }
    return range.first...last
  }

  /// A page as a picture, upright as the file says.
  ///
  /// - Throws: `ReadError`, `PictureError`, and what `FilePrograms.check` throws.
  package func picture(_ page: Int) throws -> Picture {
    let side = try longerSide(page)
    // A number of pixels and not of dots per inch, so that nothing in the file makes it larger.
    let words = [
      "pdftoppm", "-f", "\(page)", "-l", "\(page)", "-singlefile", "-png", "-scale-to", "\(side)",
      FilePrograms.word(path),
    ]
    let bytes = try Self.output(words, path, programs, atMost: 96 << 20)
    guard !bytes.isEmpty else {
      throw ReadError.refused(path: path, program: "pdftoppm", reason: "no picture of page \(page) came")
    }
    return try Picture(data: bytes, name: "page \(page) of \(path)", mostPixels: 17_000_000)
  }

  /// The text that the file itself has of a page; nil where there is none to speak of.
  ///
  /// - Throws: `ReadError`, and what `FilePrograms.check` throws.
  package func text(_ page: Int) throws -> String? {
    let words = [
      "pdftotext", "-f", "\(page)", "-l", "\(page)", "-enc", "UTF-8", "-eol", "unix", "-nopgbrk",
      FilePrograms.word(path), "-",
    ]
    let bytes = try Self.output(words, path, programs, atMost: 16 << 20)
    let text = String(decoding: bytes, as: UTF8.self).trimmed { $0.isNewline || $0 == "\u{C}" }
    return text.contains { !$0.isWhitespace } ? text : nil
  }

  /// Whether the first of some pages have text of their own.
  ///
  /// - Throws: `ReadError`, and what `FilePrograms.check` throws.
  package func hasText(_ pages: ClosedRange<Int>) throws -> Bool {
    try pages.prefix(3).contains { page in
      (try text(page) ?? "").lazy.filter { !$0.isWhitespace }.prefix(20).count == 20
    }
  }

  /// How many pixels the longer side of a page's picture is to have.
  private func longerSide(_ page: Int) throws -> Int {
    let words = ["pdfinfo", "-f", "\(page)", "-l", "\(page)", FilePrograms.word(path)]
    let text = try Self.output(words, path, programs, atMost: 4 << 20)
    let line = Self.lines(text).last { $0.hasPrefix("Page ") && $0.contains(" size:") } ?? ""
    let numbers = line.split(separator: " ").compactMap { Double($0) }.filter { $0.isFinite && $0 > 0 }
    // Behind the page's own number; a size that says nothing gets that of A4.
    let points = numbers.count >= 3 ? numbers.suffix(2).max() ?? 842 : 842
    return Int(min(max(points / 72 * Self.resolution, 16), Self.longestSide))
  }

  private static func lines(_ bytes: [UInt8]) -> [String] {
    bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
  }

  private static func output(
    _ words: [String], _ path: String, _ programs: FilePrograms, atMost bytes: Int
  ) throws -> [UInt8] {
    try programs.output(words, package: package, of: path, atMost: bytes)
  }
}
