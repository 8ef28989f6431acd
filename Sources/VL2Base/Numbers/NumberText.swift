import Glibc

/// Numbers as people read them.
package enum NumberText {
  /// With the given number of digits after the decimal point.
  package static func fixed(_ value: Double, _ digits: Int) -> String {
    written(value, "%.\(digits)f")
  }

  /// With six significant digits at most, and no zeros at the end: 12.5, 1e+09.
  package static func general(_ value: Double) -> String { written(value, "%g") }

  /// As printf writes it.
  private static func written(_ value: Double, _ format: String) -> String {
    withVaList([value]) { values in
      // The longest is the greatest Double: 309 digits, and those after the point.
      let bytes = [CChar](unsafeUninitializedCapacity: 400) { buffer, count in
        let length = vsnprintf(buffer.baseAddress, buffer.count, format, values)
        count = min(max(0, Int(length)), buffer.count - 1)
      }
      return String(decoding: bytes.lazy.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
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
