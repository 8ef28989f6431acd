import TestSupport
import VL2Read
import VL2Run

/// A page whose lines a program can read: each has its number in ten bars, high ones for 1 and low ones for 0, between two
/// high ones.
struct DrawnPage {
  static let bits = 10

  let width: Int
  let height: Int
  var pixels: [UInt8]

  init(width: Int, height: Int) {
    self.width = width
    self.height = height
    pixels = [UInt8](repeating: 250, count: width * height * 3)
  }

  var picture: Picture { Picture(width: width, height: height, pixels: pixels) }

  mutating func fill(_ x: Range<Int>, _ y: Range<Int>, _ grey: UInt8 = 20) {
    for row in y.clamped(to: 0..<height) {
      for index in x.clamped(to: 0..<width).lowerBound * 3..<x.clamped(to: 0..<width).upperBound * 3 {
        pixels[row * width * 3 + index] = grey
      }
    }
  }

  /// Draws a line of `width` pixels.
  mutating func line(_ number: Int, x: Int, y: Int, width: Int, height: Int) {
    let pitch = width / (Self.bits + 2)
    for bar in 0..<Self.bits + 2 {
      let isHigh = bar == 0 || bar == Self.bits + 1 || number >> (bar - 1) & 1 == 1
      let left = x + bar * pitch
      // As narrow between them as letters are.
      fill(left..<left + pitch - min(6, pitch / 3), (isHigh ? y : y + height / 2)..<y + height)
    }
  }

  /// What a reader sees who knows how long and how high lines are: the lines that are there as a whole, and "?" for each
  /// that is not.
  static func read(_ picture: Picture, width: Int, height: Int) -> [String] {
    func isDark(_ x: Int, _ y: Int) -> Bool {
      x < picture.width && picture.pixels[(y * picture.width + x) * 3] < 100
    }
    func first(_ y: Int) -> Int? { (0..<picture.width).first { isDark($0, y) } }
    var lines: [String] = []
    var begin: Int?
    for y in 0...picture.height {
      if y < picture.height, first(y) != nil {
        begin = begin ?? y
      } else if let top = begin {
        begin = nil
        guard y - top == height, let left = first(top) else {
          lines.append("?")
          continue
        }
        let pitch = width / (bits + 2)
        let number = (0..<bits).reduce(0) { $0 | (isDark(left + ($1 + 1) * pitch + 1, top) ? 1 << $1 : 0) }
        lines.append("line \(number)")
      }
    }
    return lines
  }
}
