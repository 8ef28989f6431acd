import Glibc
import VL2Base

/// No picture within the limit of pixels needs a larger file: 16-bit RGBA at 100 megapixels is 763 MiB.
private let maximumFileBytes = 1 << 30

/// All bytes of a picture's file. Where the file is no picture, reading stops after its first piece, so that
/// a video or a device is not read to its end.
func pictureFileBytes(_ path: String) throws -> [UInt8] {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else {
    throw PictureError.unavailable(name: path, reason: reason(errno))
  }
  defer { close(descriptor) }

  var status = stat()
  guard fstat(descriptor, &status) == 0 else {
    throw PictureError.unavailable(name: path, reason: reason(errno))
  }
  guard status.st_mode & S_IFMT != S_IFDIR else {
    throw PictureError.unavailable(name: path, reason: "this is a folder, not a file")
  }
  guard Int(status.st_size) <= maximumFileBytes else {
    throw PictureError.fileTooLarge(name: path, limit: maximumFileBytes)
  }

  var bytes: [UInt8] = []
  bytes.reserveCapacity(Int(status.st_size))
  var piece = [UInt8](repeating: 0, count: 1 << 18)
  while true {
    let count = read(descriptor, &piece, piece.count)
    if count < 0 && errno == EINTR { continue }
    guard count >= 0 else { throw PictureError.readFailed(name: path, reason: reason(errno)) }
    if count == 0 { return bytes }
    bytes.append(contentsOf: piece[..<count])
    switch FileKind(withoutLineBreaks(Array(bytes.prefix(2 * FileKind.bytesNeeded)))) {
    case .jpeg, .png, .webp: break
    case nil where bytes.count < 2 * FileKind.bytesNeeded: break
    case let kind: throw PictureError.unsupportedFormat(name: path, format: kind)
    }
    guard bytes.count <= maximumFileBytes else {
      throw PictureError.fileTooLarge(name: path, limit: maximumFileBytes)
    }
  }
}

/// A file without the line breaks before it, which are left where a picture is cut out of a multipart stream.
func withoutLineBreaks(_ bytes: [UInt8]) -> [UInt8] {
  let rest = bytes.drop { $0 == 0x0D || $0 == 0x0A }
  return rest.count == bytes.count ? bytes : Array(rest)
}

/// What the system says about an error number.
private func reason(_ number: Int32) -> String {
  number == ENOENT ? "no such file" : String(cString: strerror(number)).lowercased()
}
