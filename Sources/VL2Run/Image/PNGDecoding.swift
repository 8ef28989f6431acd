import CSpng

extension Picture {
  /// Decodes a PNG file through libspng, every checksum checked.
  init(png data: [UInt8], name: String) throws {
    func check(_ status: Int32) throws {
      switch status {
      case 0: return
      case SPNG_EMEM.number: throw PictureError.outOfMemory(name: name)
      case SPNG_IO_EOF.number, SPNG_EIDAT_TOO_SHORT.number:
        throw PictureError.cutShort(name: name, format: "PNG")
      default:
        let reason = spng_strerror(status).map { String(cString: $0) } ?? "error \(status)"
        throw PictureError.damaged(name: name, format: "PNG", reason: reason)
      }
    }
    guard let decoder = spng_ctx_new(0) else { throw PictureError.outOfMemory(name: name) }
    defer { spng_ctx_free(decoder) }
    self = try data.withUnsafeBufferPointer { bytes in
      try check(spng_set_png_buffer(decoder, bytes.baseAddress, bytes.count))
      try check(spng_set_crc_action(decoder, Int32(SPNG_CRC_ERROR.number), Int32(SPNG_CRC_ERROR.number)))
      // Chunks other than image data: at most 32 MiB each and together, once unpacked.
      try check(spng_set_chunk_limits(decoder, 1 << 25, 1 << 25))

      var header = spng_ihdr()
      try check(spng_get_ihdr(decoder, &header))
      let (width, height) = (Int(header.width), Int(header.height))
      guard !width.multipliedReportingOverflow(by: height).overflow,
        width * height <= Picture.maximumPixels
      else { throw PictureError.tooManyPixels(name: name, width: width, height: height) }

      let count = width * height * 3
      let format = Int32(SPNG_FMT_RGB8.rawValue)
      let pixels = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
        try check(spng_decode_image(decoder, buffer.baseAddress, count, format, 0))
        initialized = count
      }
      // What follows the image data: its end, and where a writer puts it there, the Exif block.
      try check(spng_decode_chunks(decoder))
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
