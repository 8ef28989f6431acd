import Foundation
import Testing
import VL2Base

@Suite struct NumberTextTests {
  @Test(arguments: [
    0, -0.0, 0.05, 0.5, 1.5, 2.675, -12.345, 99.995, 1e9, 123_456_789.125, .greatestFiniteMagnitude,
    .infinity, -.infinity, .nan,
  ])
  func asPrintfWritesThem(value: Double) {
    for digits in 0...6 {
      #expect(NumberText.fixed(value, digits) == String(format: "%.\(digits)f", value))
    }
    #expect(NumberText.general(value) == String(format: "%g", value))
  }
}
