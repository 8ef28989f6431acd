import Foundation
import TestSupport
import VL2Measure
import VL2Run

/// The prompts of the golden stage outputs.
enum GoldenCase {
  static func named(_ name: String) throws -> TraceCase {
    let cases = try TraceCase.load(Fixtures.path("golden/cases.json"))
    guard let found = cases.first(where: { $0.name == name }) else {
      throw CocoaError(.fileNoSuchFile)
    }
    return found
  }
}

extension TraceCase {
  func pictures() throws -> [Picture] {
    try images.map { try Picture(contentsOf: Fixtures.path("golden/" + $0)) }
  }
}

func logSoftmax(_ x: ArraySlice<Float>) -> [Double] {
  let largest = Double(x.max() ?? 0)
  let sum = x.reduce(0.0) { $0 + exp(Double($1) - largest) }
  return x.map { Double($0) - largest - log(sum) }
}

extension StoredTensor.Values {
  func hasSameBits(as other: Self) -> Bool {
    switch (self, other) {
    case (.f32(let a), .f32(let b)): a.map(\.bitPattern) == b.map(\.bitPattern)
    case (.i64(let a), .i64(let b)): a == b
    case (.u8(let a), .u8(let b)): a == b
    default: false
    }
  }
}
