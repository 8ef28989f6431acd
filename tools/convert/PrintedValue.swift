import Foundation

/// Numbers and untrusted text as the tables show them.
enum PrintedValue {
  /// A JSON object over several lines.
  static func json(_ value: some Encodable) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    return String(decoding: try encoder.encode(value), as: UTF8.self) + "\n"
  }

  static func mebibytes(_ bytes: Int) -> String { decimal(Double(bytes) / 1_048_576, 1) }

  static func percent(_ partsPerMillion: Int) -> String {
    partsPerMillion == 0 ? "0" : decimal(Double(partsPerMillion) / 10_000, 2) + " %"
  }

  static func decimal(_ value: Double, _ digits: Int) -> String {
    String(format: "%.\(digits)f", value)
  }

  /// With a comma between thousands.
  static func grouped(_ number: Int) -> String {
    var digits = String(number)
    var groups: [Substring] = []
    while digits.count > 3 {
      groups.insert(digits.suffix(3), at: 0)
      digits = String(digits.dropLast(3))
    }
    return ([Substring(digits)] + groups).joined(separator: ",")
  }

  /// Text from a file without what would move a terminal's cursor.
  static func printable(_ text: String) -> String {
    let kept = text.unicodeScalars.filter { $0.properties.generalCategory != .control }
    return String(String.UnicodeScalarView(kept))
  }
}
