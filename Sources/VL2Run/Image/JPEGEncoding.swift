import CTurboJPEG

extension Picture {
  /// JPEG has 16 bits for each side, and libjpeg leaves some out.
  private static let mostSide = 65_500

  /// The picture as a JPEG file's bytes, its colours at half of its width and height. Throws `PictureError` where a side is
  /// over 65,500 pixels, or memory runs out.
  ///
  /// - Parameters:
  ///   - quality: 1...100.
  ///   - name: the name that errors use for it.
  public func jpegData(quality: Int, name: String) throws -> [UInt8] {
    guard max(width, height) <= Self.mostSide else {
      throw PictureError.unsupportedCoding(name: name, coding: "\(width) x \(height)")
    }
    guard let encoder = tjInitCompress() else { throw PictureError.outOfMemory(name: name) }
    defer { tjDestroy(encoder) }
    var bytes: UnsafeMutablePointer<UInt8>?
    var count: UInt = 0
    // Whatever it made is freed, also where it failed half-way.
    defer { tjFree(bytes) }
    let status = tjCompress2(
      encoder, pixels, Int32(width), 0, Int32(height), Int32(TJPF_RGB.rawValue), &bytes, &count,
      Int32(TJSAMP_420.rawValue), Int32(min(100, max(1, quality))), 0)
    guard status == 0, let bytes else { throw PictureError.outOfMemory(name: name) }
    return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
  }
}
