/// Red, green and blue of a pixel.
struct PixelColor: Sendable, Equatable {
  var red, green, blue: UInt8

  /// Black or white, whichever stands out more on this colour. Source: luma of ITU-R BT.601.
  var readable: PixelColor {
    let luma = 299 * Int(red) + 587 * Int(green) + 114 * Int(blue)
    return luma > 140_000
      ? PixelColor(red: 0, green: 0, blue: 0) : PixelColor(red: 255, green: 255, blue: 255)
  }
}

/// A copy of a picture to draw on. Whatever lies outside of it is cut off.
struct PictureDrawing {
  let width: Int
  let height: Int
  private var pixels: [UInt8]

  init(_ picture: Picture) {
    width = picture.width
    height = picture.height
    pixels = picture.pixels
  }

  var picture: Picture { Picture(width: width, height: height, pixels: pixels) }

  mutating func fill(_ columns: Range<Int>, _ rows: Range<Int>, _ color: PixelColor) {
    let columns = columns.clamped(to: 0..<width)
    for y in rows.clamped(to: 0..<height) {
      for x in columns {
        let pixel = 3 * (y * width + x)
        pixels[pixel] = color.red
        pixels[pixel + 1] = color.green
        pixels[pixel + 2] = color.blue
      }
    }
  }

  /// The edge of a box, `thickness` pixels wide, inside of the box. A box without area is seen all the same.
  mutating func frame(_ box: PixelBox, thickness: Int, _ color: PixelColor) {
    let left = max(0, min(box.left, width - thickness))
    let top = max(0, min(box.top, height - thickness))
    let right = max(box.right, left + thickness)
    let bottom = max(box.bottom, top + thickness)
    fill(left..<right, top..<top + thickness, color)
    fill(left..<right, bottom - thickness..<bottom, color)
    fill(left..<left + thickness, top..<bottom, color)
    fill(right - thickness..<right, top..<bottom, color)
  }

  /// Lays a line of text on the picture, its upper left corner at (x, y).
  mutating func write(_ text: TextStrip, x: Int, y: Int, _ color: PixelColor) {
    for row in 0..<text.height where (0..<height).contains(y + row) {
      for column in 0..<text.width where (0..<width).contains(x + column) {
        let share = Int(text.coverage[row * text.width + column])
        let pixel = 3 * ((y + row) * width + x + column)
        for (channel, value) in [color.red, color.green, color.blue].enumerated() where share > 0 {
          let ground = Int(pixels[pixel + channel])
          pixels[pixel + channel] = UInt8((Int(value) * share + ground * (255 - share) + 127) / 255)
        }
      }
    }
  }
}
