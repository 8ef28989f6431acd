import Foundation
import TestSupport
import VL2Run

/// What a camera sees, drawn: a room with shapes in it, the light in the room, and what the camera makes of it.
public struct DrawnScene: Sendable {
  public struct Shape: Sendable, Equatable {
    /// In shares of the picture's width and height.
    public var x, y, width, height: Double
    /// How much red, green and blue light it throws back, 0...1.
    public var color: [Double]
    public var isRound: Bool

    public init(
      _ x: Double, _ y: Double, _ width: Double, _ height: Double, _ color: [Double], isRound: Bool = false
    ) {
      (self.x, self.y, self.width, self.height) = (x, y, width, height)
      (self.color, self.isRound) = (color, isRound)
    }

    fileprivate func covers(_ x: Double, _ y: Double) -> Bool {
      let (right, down) = ((x - self.x) / width, (y - self.y) / height)
      guard (0..<1).contains(right), (0..<1).contains(down) else { return false }
      return !isRound || (right - 0.5) * (right - 0.5) + (down - 0.5) * (down - 0.5) < 0.25
    }
  }

  public var width: Int
  public var height: Int
  public var shapes: [Shape]
  /// How much light there is at a place; 1 is a well-lit room.
  public var light: @Sendable (_ x: Double, _ y: Double) -> Double = { _, _ in 1 }
  /// The color of the light.
  public var lightColor = [1.0, 1.0, 1.0]
  /// The standard deviation of the noise, in steps of 0...255.
  public var noise = 2.0
  /// How much light the wall throws back, 0...1.
  public var wall = 0.42
  /// 0: a wall of one color; 1: wallpaper and a floor.
  public var pattern = 1.0

  public init(width: Int = 640, height: Int = 480, shapes: [Shape] = Self.sixShapes) {
    self.width = width
    self.height = height
    self.shapes = shapes
  }

  public static let sixShapes: [Shape] = (0..<6).map { index in
    Shape(
      0.08 + 0.32 * Double(index % 3), 0.12 + 0.45 * Double(index / 3), 0.16, 0.2,
      [
        [0.8, 0.2, 0.15], [0.2, 0.6, 0.25], [0.2, 0.3, 0.8], [0.85, 0.75, 0.2], [0.5, 0.2, 0.6],
        [0.9, 0.9, 0.9],
      ][index],
      isRound: index % 2 == 1)
  }

  /// A person who stands in a corner, small.
  public static let person = Shape(0.94, 0.8, 0.045, 0.16, [0.15, 0.12, 0.2])

  /// Takes a picture.
  ///
  /// - Parameter seed: of the noise.
  public func picture(seed: UInt64) -> Picture {
    var random = SplitMix64(seed: seed)
    var pixels: [UInt8] = []
    pixels.reserveCapacity(width * height * 3)
    for row in 0..<height {
      for column in 0..<width {
        let (x, y) = (Double(column) / Double(width), Double(row) / Double(height))
        let surface = surface(x, y)
        let light = light(x, y)
        // One draw of four sums for a pixel is enough for noise.
        for channel in 0..<3 {
          let linear = max(0, surface[channel] * lightColor[channel] * light)
          let value = Self.gamma[min(4095, Int(linear * 2048))] + noise * noiseValue(&random)
          pixels.append(UInt8(max(0, min(255, value.rounded()))))
        }
      }
    }
    return Picture(width: width, height: height, pixels: pixels)
  }

  /// Of light in steps of 1/2048, what a camera makes of it.
  private static let gamma = (0..<4096).map { 255 * pow(Double($0) / 2048, 1 / 2.2) }

  private func noiseValue(_ random: inout SplitMix64) -> Double {
    let bits = random.next()
    let sum = (0..<4).reduce(0.0) { $0 + Double(bits >> UInt64(16 * $1) & 0xFFFF) / 65_536 }
    return (sum - 2) * 1.732
  }

  private func surface(_ x: Double, _ y: Double) -> [Double] {
    if let shape = shapes.last(where: { $0.covers(x, y) }) { return shape.color }
    let wave = 0.06 * sin(40 * x) * sin(28 * y) + 0.03 * sin(130 * x + 20 * y)
    let floor = y > 0.85 ? -0.12 : 0
    let base = wall + pattern * (wave + floor)
    return [base, base * 0.97, base * 0.9]
  }
}
