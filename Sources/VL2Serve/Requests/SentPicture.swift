import FoundationEssentials
import Glibc
import VL2Base
import VL2Run

/// Pictures as clients send them: their bytes in the request. Nothing is fetched for a client, and nothing opened but below
/// a folder that a user has named for that, as in a batch.
enum SentPicture {
  /// Reads `data:image/jpeg;base64,...`. What kind of picture it is, its first bytes say, not the client.
  ///
  /// - Parameter place: where it stands in the request.
  static func url(_ url: String, place: String, limits: PictureLimits) throws -> Picture {
    let scheme = url.prefix { $0 != ":" }.lowercased()
    guard scheme == "data", url.utf8.count > 5 else {
      if let folder = limits.folder, let name = try name(url, place: place) {
        return try picture(name, in: folder, place: place, limits: limits)
      }
      let known = fetchedSchemes.contains(scheme) || scheme == "file"
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
    return try picture([UInt8](data), name: place, place: place, limits: limits)
  }

  // MARK: below a folder

  /// The path that an address names; nil where it is none of a file: then it brings the picture, or is to be refused.
  static func name(_ url: String, place: String) throws -> String? {
    let scheme = url.prefix { $0 != ":" }.lowercased()
    if url.isEmpty || fetchedSchemes.contains(scheme) || (scheme == "data" && url.utf8.count > 5) {
      return nil
    }
    return try scheme == "file" ? path(ofFileURL: url, place: place) : url
  }

  private static let fetchedSchemes = ["http", "https", "blob", "ftp"]

  /// The bytes of a picture's file; of what is no picture a beginning.
  static func file(
    _ name: String, in folder: ConfinedFolder, place: String, limits: PictureLimits
  ) throws -> [UInt8] {
    guard name.utf8.count < longestPath else {
      throw RequestError.field(place, "is no path, and no data: URL", code: "invalid_image_url")
    }
    do {
      let file = try folder.file(name)
      guard file.length <= limits.fileBytes else {
        throw PictureError.fileTooLarge(name: label(name, place), limit: limits.fileBytes)
      }
      // What is no picture is not read to its end.
      let bytes = try file.bytes(0..<min(file.length, 2 * FileKind.bytesNeeded))
      switch FileKind(bytes.drop { $0 == 0x0D || $0 == 0x0A }) {
      case .jpeg, .png, .webp: return bytes + (try file.bytes(bytes.count..<file.length))
      default: return bytes
      }
    } catch let error as InputError {
      throw RequestError.field(place, error.line(), code: "invalid_image")
    } catch let error as PictureError {
      throw refusal(error, place: place)
    }
  }

  private static func label(_ name: String, _ place: String) -> String {
    "\(place): \(UntrustedText.quoted(name))"
  }

  /// The path in `file:///srv/a%20b.jpg`, or in `file:a.jpg`, which is relative.
  private static func path(ofFileURL url: String, place: String) throws -> String {
    var rest = url.dropFirst("file:".count)
    if rest.hasPrefix("//") { rest = rest.dropFirst(rest.hasPrefix("//localhost/") ? 11 : 2) }
    var bytes: [UInt8] = []
    var left = rest.utf8[...]
    while let byte = left.popFirst() {
      guard byte == UInt8(ascii: "%") else {
        bytes.append(byte)
        continue
      }
      let digits = String(left.prefix(2)) ?? ""
      guard digits.count == 2, digits.allSatisfy(\.isHexDigit), let value = UInt8(digits, radix: 16) else {
        throw RequestError.field(place, "the file: URL has a wrong % in it", code: "invalid_image_url")
      }
      bytes.append(value)
      left = left.dropFirst(2)
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Bytes of a path.
  private static let longestPath = Int(PATH_MAX)

  private static func picture(
    _ name: String, in folder: ConfinedFolder, place: String, limits: PictureLimits
  ) throws -> Picture {
    let bytes = try file(name, in: folder, place: place, limits: limits)
    return try picture(bytes, name: label(name, place), place: place, limits: limits)
  }

  private static func picture(_ bytes: [UInt8], name: String, place: String, limits: PictureLimits) throws
    -> Picture
  {
    do {
      return try Picture(
        data: bytes, name: name, mostPixels: limits.pixels, background: limits.background)
    } catch let error as PictureError {
      throw refusal(error, place: place)
    }
  }

  private static func refusal(_ error: PictureError, place: String) -> RequestError {
    var told = RequestError(error)
    told.parameter = place
    told.code = "invalid_image"
    return told
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
  /// The folder below which a request may name pictures by their paths; nil where it has to bring them.
  package var folder: ConfinedFolder?
  /// Bytes of a file below it.
  package var fileBytes = 256 << 20

  package init() {}
}
