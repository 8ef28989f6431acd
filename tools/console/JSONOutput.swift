import FoundationEssentials
import VL2Base

/// Results for other programs: JSON with snake_case keys. Keys of dictionaries are data and stay unchanged.
package enum JSONOutput {
  package enum Layout {
    /// An object on one line.
    case line
    /// A value on each line, for output that people read too.
    case indented
  }

  package static func text(_ value: some Encodable, _ layout: Layout = .line) throws -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if layout == .indented { encoder.outputFormatting.insert(.prettyPrinted) }
    return escaped(String(decoding: try encoder.encode(value), as: UTF8.self)) + "\n"
  }

  /// The same JSON without characters that a terminal could act on. They occur only in strings, so escapes
  /// can replace them.
  package static func escaped(_ json: String) -> String {
    if json.unicodeScalars.allSatisfy({ !$0.breaksLine || $0 == "\n" }) { return json }
    var text = ""
    for scalar in json.unicodeScalars {
      if scalar.breaksLine, scalar != "\n" {
        let digits = String(scalar.value, radix: 16)
        text += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      } else {
        text.unicodeScalars.append(scalar)
      }
    }
    return text
  }
}
