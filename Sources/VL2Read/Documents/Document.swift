import VL2Base
import VL2Run

/// A file with pages: a picture is one page.
package struct Document: Sendable {
  package enum Content: Sendable {
    case picture
    case pdf(PDFFile)
  }

  package let path: String
  package let content: Content
  package let pages: ClosedRange<Int>

  /// Looks at a file.
  ///
  /// - Throws: `ReadError`, `InputError`, and what `FilePrograms.check` throws.
  package init(_ path: String, pages range: PageRange, _ programs: FilePrograms) throws {
    self.path = path
    let file = try InputFile(path: path)
    let kind = FileKind(try file.bytes(0..<min(FileKind.bytesNeeded, file.length)))
    switch kind {
    case .pdf:
      let pdf = try PDFFile(path, programs)
      content = .pdf(pdf)
      pages = try pdf.pages(range)
    case .jpeg, .png, .webp:
      content = .picture
      guard range.first == 1, range.last ?? 1 == 1 else {
        throw ReadError.noSuchPage(path: path, asked: max(range.first, range.last ?? 1), pages: 1)
      }
      pages = 1...1
    // A way out for each kind is known there.
    case .heic, .avif, .gif, .bmp, .tiff, .jpegXL, .jpeg2000, .photoshop, .svg, .lfsPointer, .webPage,
      .archive:
      throw PictureError.unsupportedFormat(name: path, format: kind)
    default: throw ReadError.notReadable(path: path, kind: kind)
    }
  }

  /// A page as a picture, upright.
  ///
  /// - Throws: `ReadError`, `PictureError`, and what `FilePrograms.check` throws.
  package func picture(_ page: Int, background: Background) throws -> Picture {
    switch content {
    case .picture: try Picture(contentsOf: path, background: background)
    case .pdf(let pdf): try pdf.picture(page)
    }
  }

  /// The text that the file itself has of a page; nil where there is none.
  package func text(_ page: Int) throws -> String? {
    if case .pdf(let pdf) = content { try pdf.text(page) } else { nil }
  }
}
