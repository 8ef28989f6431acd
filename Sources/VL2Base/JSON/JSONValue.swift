/// A JSON value whose strings are bytes.
///
/// Swift compares `String`s by canonical equivalence. By that rule some texts of a vocabulary are equal ("é"
/// composed and decomposed), so a dictionary keyed by `String` would lose tokens. Bytes keep them apart.
package enum JSONValue: Equatable, Sendable {
  package struct Member: Equatable, Sendable {
    package var key: [UInt8]
    package var value: JSONValue
  }

  case null
  case bool(Bool)
  case integer(Int)
  /// A whole number that does not fit into `Int`: its digits as they are written, after its sign.
  case wideInteger([UInt8])
  /// A number that is written with a fraction or an exponent.
  case real(Double)
  /// UTF-8, always valid.
  case string([UInt8])
  case array([JSONValue])
  /// In the order of the file; no key occurs twice.
  case object([Member])

  /// What a value is called in an error line.
  package var kind: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .wideInteger(let digits): String(decoding: digits, as: UTF8.self)
    case .real(let value): String(value)
    case .string(let bytes): UntrustedText.quoted(bytes)
    case .array: "an array"
    case .object: "an object"
    }
  }

  /// The value of a number, rounded where a `Double` cannot hold it; nil for what is no number.
  package var number: Double? {
    switch self {
    case .integer(let value): Double(value)
    case .wideInteger(let digits): Double(String(decoding: digits, as: UTF8.self))
    case .real(let value): value
    default: nil
    }
  }

  /// Whether both mean the same in JSON: the order of an object's keys does not matter, and numbers are
  /// compared by value, however they are written (`1`, `1.0`, `10e-1`). `==` tells these apart.
  package func isEquivalent(to other: JSONValue) -> Bool {
    switch (self, other) {
    case (.integer(let whole), .real(let value)), (.real(let value), .integer(let whole)):
      return Int(exactly: value) == whole
    case (.wideInteger(let digits), .real(let value)), (.real(let value), .wideInteger(let digits)):
      // Beyond 128 bits as near as a Double can tell.
      let whole = Int128(String(decoding: digits, as: UTF8.self))
      return whole.map { Int128(exactly: value) == $0 } ?? (value == JSONValue.wideInteger(digits).number)
    case (.array(let mine), .array(let others)):
      return mine.count == others.count && zip(mine, others).allSatisfy { $0.isEquivalent(to: $1) }
    case (.object(let mine), .object(let others)):
      guard mine.count == others.count else { return false }
      let values = Dictionary(others.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
      return mine.allSatisfy { member in values[member.key]?.isEquivalent(to: member.value) ?? false }
    default: return self == other
    }
  }
}
