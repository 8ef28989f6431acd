import FoundationEssentials
import VL2Base
import VL2Run

/// Pictures as clients send them: their bytes in the request. Nothing is fetched or opened for a client.
enum SentPicture {
  /// Reads `data:image/jpeg;base64,...`. What kind of picture it is, its first bytes say, not the client.
  ///
  /// - Parameter place: where it stands in the request.
  static func url(_ url: String, place: String, limits: PictureLimits) throws -> Picture {
    let scheme = url.prefix { $0 != ":" }.lowercased()
    guard scheme == "data", url.utf8.count > 5 else {
      let known = ["http", "https", "file", "blob", "ftp"].contains(scheme)
      throw RequestError.field(
        place,
        known
          ? "\(scheme): addresses are not fetched; send the picture itself as data:image/jpeg;base64,..."
          : "is no data: URL; send the picture as data:image/jpeg;base64,...", code: "invalid_image_url")
    }
    guard let comma = url.utf8.firstIndex(of: UInt8(ascii: ",")) else {
      throw RequestError.field(place, "the data: URL has no comma before its data", code: "invalid_image_url")
    }
    guard url.utf8.distance(from: url.startIndex, to: comma) < 256,
      url[..<comma].lowercased().hasSuffix(";base64")
    else {
      throw RequestError.field(place, "the data: URL is not in base64", code: "invalid_image_url")
    }
    return try base64(url[url.utf8.index(after: comma)...].utf8, place: place, limits: limits)
  }

  /// Reads base64, with or without padding, line breaks, and a `data:` before it.
  static func base64(_ text: String, place: String, limits: PictureLimits) throws -> Picture {
    if text.prefix(5).lowercased() == "data:" { return try url(text, place: place, limits: limits) }
    return try base64(text[...].utf8, place: place, limits: limits)
  }

  private static func base64(_ text: Substring.UTF8View, place: String, limits: PictureLimits) throws
    -> Picture
  {
    var digits: [UInt8] = []
    digits.reserveCapacity(text.count + 3)
    for byte in text {
      switch byte {
      case 0x20, 0x09, 0x0A, 0x0D, UInt8(ascii: "="): break
      case UInt8(ascii: "-"): digits.append(UInt8(ascii: "+"))
      case UInt8(ascii: "_"): digits.append(UInt8(ascii: "/"))
      default: digits.append(byte)
      }
    }
    digits += [UInt8](repeating: UInt8(ascii: "="), count: (4 - digits.count % 4) % 4)
    guard let data = Data(base64Encoded: Data(digits)) else {
      throw RequestError.field(place, "is not in base64", code: "invalid_image")
    }
    do {
      return try Picture(
        data: [UInt8](data), name: place, mostPixels: limits.pixels, background: limits.background)
    } catch let error as PictureError {
      var told = RequestError(error)
      told.parameter = place
      told.code = "invalid_image"
      throw told
    }
  }
}

/// What pictures a request may have, and how they are read.
package struct PictureLimits: Sendable {
  /// Pictures of one request.
  package var count = 16
  /// Pixels of one picture.
  package var pixels = 50_000_000
  /// What transparent ones are laid on.
  package var background = Background.white

  package init() {}
}
