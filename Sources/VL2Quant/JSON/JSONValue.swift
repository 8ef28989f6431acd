/// A JSON value whose strings are bytes.
///
/// Swift compares `String` by canonical equivalence, under which a vocabulary holds the same text twice ("é"
/// composed and decomposed), so a dictionary keyed by `String` loses tokens. Bytes keep them apart.
enum JSONValue: Equatable {
  struct Member: Equatable {
    var key: [UInt8]
    var value: JSONValue
  }

  case null
  case bool(Bool)
  case integer(Int)
  /// A number that is written with a fraction or an exponent, or that `Int` cannot hold.
  case real(Double)
  /// UTF-8, always valid.
  case string([UInt8])
  case array([JSONValue])
  /// In the order of the file; no key comes twice.
  case object([Member])

  /// What a value is called in an error line.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool(let value): value ? "true" : "false"
    case .integer(let value): String(value)
    case .real(let value): String(value)
    case .string(let bytes): TokenizerError.quote(bytes)
    case .array: "an array"
    case .object: "an object"
    }
  }
}
