import CSpng
import FoundationEssentials
import Glibc
import VL2Base

extension ResultKind {
  /// What boxes are drawn on.
  package static let drawing = ResultKind("a PNG picture", endings: [".png"]) {
    $0.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
  }
}

extension Picture {
  /// The picture as a PNG file's bytes. Throws `PictureError` where memory runs out.
  ///
  /// - Parameter name: the name that errors use for it.
  public func pngData(name: String) throws -> [UInt8] {
    func check(_ status: Int32) throws {
      guard status == 0 else { throw PictureError.outOfMemory(name: name) }
    }
    guard let encoder = spng_ctx_new(Int32(SPNG_CTX_ENCODER.rawValue)) else {
      throw PictureError.outOfMemory(name: name)
    }
    defer { spng_ctx_free(encoder) }
    try check(spng_set_option(encoder, SPNG_ENCODE_TO_BUFFER, 1))
    var header = spng_ihdr()
    header.width = UInt32(width)
    header.height = UInt32(height)
    header.bit_depth = 8
    header.color_type = UInt8(SPNG_COLOR_TYPE_TRUECOLOR.rawValue)
    try check(spng_set_ihdr(encoder, &header))
    try check(
      spng_encode_image(
        encoder, pixels, pixels.count, Int32(SPNG_FMT_PNG.rawValue), Int32(SPNG_ENCODE_FINALIZE.rawValue)))
    var count = 0
    var status: Int32 = 0
    guard let bytes = spng_get_png_buffer(encoder, &count, &status) else {
      throw PictureError.outOfMemory(name: name)
    }
    defer { free(bytes) }
    return Array(UnsafeRawBufferPointer(start: bytes, count: count))
  }

  /// Writes the picture as a PNG file, whole or not at all. Throws `PictureError` where memory runs out, `OutputError`
  /// where the file cannot be written.
  public func writePNG(to path: String) throws { try writePNG(to: OutputFile(replacing: path)) }

  package func writePNG(to file: OutputFile) throws { try file.write(Data(pngData(name: file.path))) }
}
