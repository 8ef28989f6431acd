import VL2Base

/// The types of JSON Schema.
enum SchemaType: String {
  case null, boolean, string, integer, number, array, object

  /// Keywords that restrict a value of the type.
  var keywords: Set<String> {
    switch self {
    case .null, .boolean: []
    case .string: ["minLength", "maxLength"]
    case .integer, .number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]
    case .array: ["items", "minItems", "maxItems"]
    case .object: ["properties", "required", "additionalProperties"]
    }
  }

  /// The one type that a value has, of which integers are numbers too.
  static func of(_ value: JSONValue) -> SchemaType {
    switch value {
    case .null: .null
    case .bool: .boolean
    case .integer, .real: .number
    case .string: .string
    case .array: .array
    case .object: .object
    }
  }

  func holds(_ value: JSONValue) -> Bool {
    switch (self, value) {
    case (.null, .null), (.boolean, .bool), (.string, .string), (.integer, .integer), (.number, .integer),
      (.number, .real), (.array, .array), (.object, .object):
      true
    case (.integer, .real(let number)): number.rounded() == number
    default: false
    }
  }
}

extension JSONValue {
  /// The member of an object; nil where there is none.
  func member(_ name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key.elementsEqual(name.utf8) }?.value
  }

  /// The shortest JSON text of the value.
  var jsonText: [UInt8] {
    switch self {
    case .null: return Array("null".utf8)
    case .bool(let value): return Array("\(value)".utf8)
    case .integer(let value): return Array("\(value)".utf8)
    case .real(let value): return Array("\(value)".utf8)
    case .string(let text):
      var json = [UInt8(ascii: "\"")]
      for byte in text {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): json += [UInt8(ascii: "\\"), byte]
        case 0..<0x20:
          let digits = Array("0123456789abcdef".utf8)
          json += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        default: json.append(byte)
        }
      }
      return json + [UInt8(ascii: "\"")]
    case .array(let elements):
      return [UInt8(ascii: "[")] + elements.map(\.jsonText).joined(separator: [UInt8(ascii: ",")])
        + [UInt8(ascii: "]")]
    case .object(let members):
      let texts = members.map { JSONValue.string($0.key).jsonText + [UInt8(ascii: ":")] + $0.value.jsonText }
      return [UInt8(ascii: "{")] + texts.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "}")]
    }
  }
}
