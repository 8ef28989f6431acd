import Glibc

/// Cosines and sines of rotary position embeddings, computed when a position is first reached.
///
/// The angle of pair i at position p is p * theta^(-2i / size), each factor rounded to float32, as the published
/// model computes it.
package final class RotaryTable {
  private let frequencies: [Float]
  private var cosines = PlainList<Float>()
  private var sines = PlainList<Float>()
  private var positions = 0

  /// - Parameter size: values that are rotated in each head; even.
  package init(size: Int, theta: Float) {
    frequencies = stride(from: 0, to: size, by: 2).map {
      Float(pow(Double(theta), -Double(Float($0) / Float(size))))
    }
  }

  /// Makes positions below `count` available.
  ///
  /// - Returns: cosines and sines, [position][size / 2] each, valid until the next call.
  package func reach(_ count: Int) -> (cosines: UnsafePointer<Float>, sines: UnsafePointer<Float>) {
    while positions < count {
      for frequency in frequencies {
        let angle = Double(Float(positions) * frequency)
        cosines.append(Float(cos(angle)))
        sines.append(Float(sin(angle)))
      }
      positions += 1
    }
    return (cosines.base!, sines.base!)
  }
}
