import Glibc
import VL2Base

/// A decoded picture: 8 bits for each of red, green and blue, upright.
public struct Picture: Sendable, Equatable {
  /// Pictures with more pixels are refused before they are decoded, whatever limit is given.
  public static let maximumPixels = 100_000_000

  public let width: Int
  public let height: Int
  /// [height][width][3], row-major.
  public let pixels: [UInt8]
  private let lazyIdentity: LazyIdentity

  /// A picture from its pixels, [height][width][3].
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(width > 0 && height > 0 && pixels.count == width * height * 3)
    self.width = width
    self.height = height
    self.pixels = pixels
    lazyIdentity = LazyIdentity()
  }

  public static func == (one: Picture, other: Picture) -> Bool {
    one.width == other.width && one.height == other.height && one.pixels == other.pixels
  }

  /// What tells this picture from others. Takes time in proportion to the pixels when it is first wanted.
  package var identity: PictureIdentity { lazyIdentity.of(self) }

  /// Asks the system whether there is enough memory for a decoded picture. Swift's arrays end the program
  /// where there is not.
  ///
  /// - Throws: `PictureError.outOfMemory`.
  static func checkMemory(_ bytes: Int, name: String) throws {
    let memory = mmap(nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let memory, memory != MAP_FAILED else { throw PictureError.outOfMemory(name: name) }
    munmap(memory, bytes)
  }

  /// File name endings of pictures that can be read, in lower case and with their dot.
  public static let fileEndings = [".jpg", ".jpeg", ".png", ".webp"]

  /// Reads a JPEG, PNG or WebP file. Throws `PictureError`.
  ///
  /// - Parameter background: what a transparent picture is laid on.
  public init(contentsOf path: String, background: Background = .white) throws {
    try self.init(data: pictureFileBytes(path), name: path, background: background)
  }

  /// Decodes a JPEG, PNG or WebP file's bytes; errors call it `name`. Throws `PictureError`.
  ///
  /// The pixels are those that Pillow's `ImageOps.exif_transpose(image)` gives after `convert("RGB")` (a background
  /// of `.dropped`), or after `alpha_composite` on the background. The deviations: 16-bit grey pictures keep their high
  /// byte as 16-bit colour ones do, while Pillow turns everything over 255 of 65535 to white; a PNG's transparent
  /// colour is compared with all its bits; an orientation counts whatever type of integer it is written as. WebP needs
  /// libwebp at run time.
  ///
  /// - Parameters:
  ///   - mostPixels: pictures with more are refused before they are decoded.
  ///   - background: what a transparent picture is laid on.
  public init(
    data: [UInt8], name: String, mostPixels: Int = maximumPixels, background: Background = .white
  ) throws {
    let most = min(mostPixels, Self.maximumPixels)
    guard !data.isEmpty else { throw PictureError.empty(name: name) }
    let data = withoutLineBreaks(data)
    switch FileKind(data) {
    case .jpeg: self = try Picture(jpeg: data, name: name, mostPixels: most)
    case .png: self = try Picture(png: data, name: name, mostPixels: most, background: background)
    case .webp: self = try Picture(webp: data, name: name, mostPixels: most, background: background)
    case let kind: throw PictureError.unsupportedFormat(name: name, format: kind)
    }
  }
}
