import SystemSupport

extension Picture {
  /// libwebp by the name that Debian's package `libwebp7` gives it.
  package static let webPLibrary = "libwebp.so.7"

  /// Opens the libraries that are else opened with the first picture that needs them, where they are there.
  package static func openLibraries() {
    var webp = vl2_webp()
    _ = vl2_webp_open(webPLibrary, &webp)
  }

  /// Decodes a WebP file through libwebp; every version of it gives the same bytes. Animations are refused,
  /// because none of their pictures is the one that was meant.
  package init(
    webp data: [UInt8], name: String, mostPixels: Int = maximumPixels, background: Background = .white,
    library: String = webPLibrary
  ) throws {
    func damaged(_ reason: String) -> PictureError {
      .damaged(name: name, format: "WebP", reason: reason)
    }
    let chunks = WebPChunks(data)
    guard chunks.isComplete else { throw PictureError.cutShort(name: name, format: "WebP") }
    guard !chunks.isAnimated else { throw PictureError.animated(name: name, format: "WebP") }
    var webp = vl2_webp()
    guard vl2_webp_open(library, &webp) != 0, let size = webp.get_info, let new = webp.new_decoder,
      let update = webp.update, let delete = webp.delete_decoder
    else {
      throw PictureError.libraryMissing(name: name, format: "WebP", library: library, package: "libwebp7")
    }

    var width: Int32 = 0
    var height: Int32 = 0
    guard size(data, data.count, &width, &height) != 0, width > 0, height > 0 else {
      throw damaged("it begins with no picture's header")
    }
    guard Int(width) * Int(height) <= mostPixels else {
      throw PictureError.tooManyPixels(name: name, width: Int(width), height: Int(height), limit: mostPixels)
    }
    let ground = chunks.hasAlpha ? background.color : nil
    let channels: Int32 = ground == nil ? 3 : 4
    let count = Int(width) * Int(height) * Int(channels)
    try Self.checkMemory(count, name: name)
    let pixels = try [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      guard let decoder = new(ground == nil ? 0 : 1, buffer.baseAddress, count, width * channels) else {
        throw PictureError.outOfMemory(name: name)
      }
      defer { delete(decoder) }
      if let error = Self.webPError(update(decoder, data, data.count), name: name) { throw error }
      ground?.layUnder(UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
      initialized = Int(width) * Int(height) * 3
    }
    let orientation = chunks.exif.map { Orientation(exif: data[$0]) } ?? .upright
    self = Picture(width: Int(width), height: Int(height), pixels: pixels).turnedUpright(from: orientation)
  }

  /// What a VP8StatusCode of libwebp's decode.h means; nil for a picture that is whole.
  package static func webPError(_ status: Int32, name: String) -> PictureError? {
    func damaged(_ reason: String) -> PictureError { .damaged(name: name, format: "WebP", reason: reason) }
    switch status {
    case 0: return nil
    case 1: return .outOfMemory(name: name)
    case 4: return damaged("it uses something that libwebp does not know")
    case 5, 7: return damaged("its data end too early")
    default: return damaged("its data cannot be decoded")
    }
  }
}
