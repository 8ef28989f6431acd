import CSpng

/// The most bytes that chunks other than image data may take together, once unpacked; libspng allows 1,000 of
/// them.
private let maximumMetadataBytes = 1 << 25

extension Picture {
  /// Decodes a PNG file through libspng, with every checksum checked.
  init(png data: [UInt8], name: String, mostPixels: Int, background: Background) throws {
    func check(_ status: Int32) throws {
      switch status {
      case 0: return
      case SPNG_EMEM.number: throw PictureError.outOfMemory(name: name)
      case SPNG_IO_EOF.number, SPNG_EIDAT_TOO_SHORT.number:
        throw PictureError.cutShort(name: name, format: "PNG")
      case SPNG_ECHUNK_LIMITS.number:
        throw PictureError.damaged(
          name: name, format: "PNG", reason: "too many or too large texts and profiles")
      default:
        let reason = spng_strerror(status).map { String(cString: $0) } ?? "error \(status)"
        throw PictureError.damaged(name: name, format: "PNG", reason: reason)
      }
    }
    let chunks = PNGChunks(data)
    // Checked before libspng sees the sizes, because it reports sizes beyond memory as an arithmetic
    // overflow.
    if let (width, height) = chunks.size,
      width.multipliedReportingOverflow(by: height).overflow || width * height > mostPixels
    {
      throw PictureError.tooManyPixels(name: name, width: width, height: height, limit: mostPixels)
    }
    guard let decoder = spng_ctx_new(0) else { throw PictureError.outOfMemory(name: name) }
    defer { spng_ctx_free(decoder) }
    self = try data.withUnsafeBufferPointer { bytes in
      try check(spng_set_png_buffer(decoder, bytes.baseAddress, bytes.count))
      try check(spng_set_crc_action(decoder, SPNG_CRC_ERROR.number, SPNG_CRC_ERROR.number))
      try check(spng_set_chunk_limits(decoder, maximumMetadataBytes, maximumMetadataBytes))

      var header = spng_ihdr()
      try check(spng_get_ihdr(decoder, &header))
      let (width, height) = (Int(header.width), Int(header.height))
      var key = spng_trns()
      let keyStatus = spng_get_trns(decoder, &key)
      if keyStatus != SPNG_ECHUNKAVAIL.number { try check(keyStatus) }
      let hasAlpha =
        header.color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA.rawValue
        || header.color_type == SPNG_COLOR_TYPE_TRUECOLOR_ALPHA.rawValue || keyStatus == 0
      let ground = hasAlpha ? background.color : nil
      let count = width * height * (ground == nil ? 3 : 4)
      try Self.checkMemory(count, name: name)
      let format = Int32(ground == nil ? SPNG_FMT_RGB8.rawValue : SPNG_FMT_RGBA8.rawValue)
      let flags = ground == nil ? 0 : Int32(SPNG_DECODE_TRNS.rawValue)
      let pixels = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        try check(spng_decode_image(decoder, buffer.baseAddress, count, format, flags))
        ground?.layUnder(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
        initialized = width * height * 3
      }
      // Reads what follows the image data: its end and, where a writer puts it there, the Exif block.
      try check(spng_decode_chunks(decoder))
      guard chunks.isComplete else { throw PictureError.cutShort(name: name, format: "PNG") }
      var exif = spng_exif()
      var orientation = Orientation.upright
      if spng_get_exif(decoder, &exif) == 0, let block = exif.data {
        orientation = Orientation(exif: UnsafeRawBufferPointer(start: block, count: exif.length))
      }
      return Picture(width: width, height: height, pixels: pixels).turnedUpright(from: orientation)
    }
  }
}

extension spng_errno { fileprivate var number: Int32 { Int32(rawValue) } }
extension spng_crc_action { fileprivate var number: Int32 { Int32(rawValue) } }
