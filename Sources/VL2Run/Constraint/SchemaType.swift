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
    case .integer, .wideInteger, .real: .number
    case .string: .string
    case .array: .array
    case .object: .object
    }
  }

  func holds(_ value: JSONValue) -> Bool {
    switch (self, value) {
    case (.null, .null), (.boolean, .bool), (.string, .string), (.integer, .integer),
      (.integer, .wideInteger),
      (.number, .integer), (.number, .wideInteger), (.number, .real), (.array, .array), (.object, .object):
      true
    case (.integer, .real(let number)): number.rounded() == number
    default: false
    }
  }
}
