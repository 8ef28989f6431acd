import Foundation

/// Numbers as people read them.
package enum NumberText {
  /// With the given number of digits after the decimal point.
  package static func fixed(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }

  /// With about three significant digits.
  package static func rounded(_ value: Double) -> String {
    fixed(value, value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 4)
  }

  /// A fraction 0...1 as a percentage.
  package static func percent(_ share: Double, _ digits: Int = 1) -> String {
    fixed(100 * share, digits) + " %"
  }

  /// With a comma between thousands.
  package static func grouped(_ number: Int) -> String {
    var digits = String(number)
    var groups: [Substring] = []
    while digits.count > 3 {
      groups.insert(digits.suffix(3), at: 0)
      digits = String(digits.dropLast(3))
    }
    return ([Substring(digits)] + groups).joined(separator: ",")
  }
}
