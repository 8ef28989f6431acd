import CTurboJPEG
import VL2Run

extension Picture {
  /// The picture as a JPEG file.
  ///
  /// - Parameter quality: 1...100.
  public func jpeg(quality: Int = 85) -> [UInt8] {
    guard let encoder = tjInitCompress() else { return [] }
    defer { tjDestroy(encoder) }
    var bytes: UnsafeMutablePointer<UInt8>?
    var count: UInt = 0
    let format = Int32(TJPF_RGB.rawValue)
    let sampling = Int32(TJSAMP_420.rawValue)
    guard
      tjCompress2(
        encoder, pixels, Int32(width), 0, Int32(height), format, &bytes, &count, sampling, Int32(quality), 0)
        == 0
    else { return [] }
    defer { tjFree(bytes) }
    return Array(UnsafeBufferPointer(start: bytes, count: Int(count)))
  }
}

/// A JPEG file without its Huffman tables, as cameras on USB send it.
public func withoutHuffmanTables(_ jpeg: [UInt8]) -> [UInt8] {
  var left = Array(jpeg.prefix(2))
  var position = 2
  while position + 3 < jpeg.count, jpeg[position] == 0xFF {
    let end = position + 2 + Int(jpeg[position + 2]) << 8 + Int(jpeg[position + 3])
    if jpeg[position + 1] != 0xC4 { left += jpeg[position..<min(end, jpeg.count)] }
    if jpeg[position + 1] == 0xDA { return left + jpeg[min(end, jpeg.count)...] }
    position = end
  }
  return left
}
