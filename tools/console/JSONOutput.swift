import Foundation
import VL2Base

/// Results for other programs: JSON whose keys are snake_case. Keys of dictionaries are data and stay as they are.
package enum JSONOutput {
  package enum Layout {
    /// An object on a line.
    case line
    /// A value on a line, for what people look at too.
    case indented
  }

  package static func text(_ value: some Encodable, _ layout: Layout = .line) throws -> String {
    let encoder = JSONEncoder()
    encoder.keyEncodingStrategy = .convertToSnakeCase
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    if layout == .indented { encoder.outputFormatting.insert(.prettyPrinted) }
    return escaped(String(decoding: try encoder.encode(value), as: UTF8.self)) + "\n"
  }

  /// JSON that says the same without characters that a terminal could obey. They stand in strings alone, so that
  /// escapes can take their place.
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
