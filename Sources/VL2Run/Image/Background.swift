/// What transparent pictures are laid on.
public struct Background: Sendable, Equatable {
  /// nil where transparency is dropped.
  let color: PixelColor?

  public static let white = Background(color: PixelColor(red: 255, green: 255, blue: 255))
  public static let black = Background(color: PixelColor(red: 0, green: 0, blue: 0))
  /// Transparency is dropped, as the published processor does: each pixel has the colour that the file says, also where
  /// nothing is to be seen of it. Black on a clear ground is then often black on black.
  public static let dropped = Background(color: nil)

  private init(color: PixelColor?) { self.color = color }

  /// - Parameter text: `white`, `black`, `none` (`dropped`), or red, green and blue as six hexadecimal digits.
  public init?(_ text: String) {
    switch text {
    case "white": self = .white
    case "black": self = .black
    case "none": self = .dropped
    default:
      guard text.utf8.count == 6, text.allSatisfy(\.isHexDigit), let number = UInt32(text, radix: 16) else {
        return nil
      }
      func byte(_ shift: Int) -> UInt8 { UInt8(truncatingIfNeeded: number >> shift) }
      color = PixelColor(red: byte(16), green: byte(8), blue: byte(0))
    }
  }
}

extension PixelColor {
  /// Lays pixels with opacity on this colour, as Pillow's `alpha_composite` does.
  ///
  /// - Parameter pixels: [n][4], red, green, blue and opacity; the first 3 n bytes become [n][3].
  func layUnder(_ pixels: UnsafeMutableBufferPointer<UInt8>) {
    let ground = (Int(red), Int(green), Int(blue))
    for pixel in 0..<pixels.count / 4 {
      let alpha = Int(pixels[4 * pixel + 3])
      func mix(_ channel: Int, _ ground: Int) -> UInt8 {
        UInt8((Int(pixels[4 * pixel + channel]) * alpha + ground * (255 - alpha)).dividedBy255)
      }
      // All are read before the first is written, which may be in their place.
      let mixed = (mix(0, ground.0), mix(1, ground.1), mix(2, ground.2))
      pixels[3 * pixel] = mixed.0
      pixels[3 * pixel + 1] = mixed.1
      pixels[3 * pixel + 2] = mixed.2
    }
  }
}

extension Int {
  /// This over 255, rounded; exact for products of two bytes.
  var dividedBy255: Int {
    let raised = self + 128
    return (raised >> 8 + raised) >> 8
  }
}
