import FoundationEssentials
import VL2Base
import VL2Run

/// A prompt whose stages are to be recorded.
package struct TraceCase: Decodable, Sendable {
  package var name: String
  /// Pictures, as paths relative to the file that holds the case.
  package var images: [String]
  /// Role ("system", "user" or "assistant") and text of each turn.
  package var turns: [[String]]
  /// Tokens to write greedily.
  package var newTokens: Int?

  enum CodingKeys: String, CodingKey {
    case name, images, turns
    case newTokens = "new_tokens"
  }

  /// Reads a JSON file that holds a list of cases.
  ///
  /// - Throws: `FileError` for a file that is missing or holds anything else.
  package static func load(_ path: String) throws -> [TraceCase] {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw FileError(.noInput, path, "no such file, or not readable", "give a file of cases")
    }
    do {
      let cases = try JSONDecoder().decode([TraceCase].self, from: Data(ByteOrderMark.dropped(from: data)))
      for item in cases {
        let plain = !item.name.isEmpty && item.name != ".." && item.name != "." && !item.name.contains("/")
        guard plain else {
          throw FileError(.badData, path, "the name \"\(item.name)\" cannot be a file's name", "give another")
        }
        guard item.turns.allSatisfy({ $0.count == 2 && Role(rawValue: $0[0]) != nil }) else {
          throw FileError(
            .badData, path, "case \"\(item.name)\": a turn is [\"system\", \"user\" or \"assistant\", text]")
        }
      }
      let names = Set(cases.map(\.name))
      guard names.count == cases.count else {
        throw FileError(
          .badData, path, "several cases have one name, and each becomes a file", "give each its own")
      }
      return cases
    } catch let error as DecodingError {
      throw FileError(.badData, path, "not a list of cases: \(Self.summary(error))")
    }
  }

  private static func summary(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, _): "a case has no \"\(key.stringValue)\""
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      "\(context.codingPath.map(\.stringValue).joined(separator: ".")) has another type than expected"
    default: "the JSON is damaged"
    }
  }
}

extension TraceCase {
  /// The pictures' paths for a program in the working folder.
  ///
  /// - Parameter file: the file that holds the case.
  package func picturePaths(beside file: String) -> [String] {
    let folder = PathText.folder(of: file)
    return images.map { $0.hasPrefix("/") || folder.isEmpty ? $0 : folder + "/" + $0 }
  }

  /// The case's conversation, in which special tokens count.
  ///
  /// - Throws: `PromptError` where `<image>` marks and pictures do not go together.
  package func turns(pictures: [Picture]) throws -> [Turn] {
    try Turn.trusted(
      turns.compactMap { turn in Role(rawValue: turn[0]).map { (role: $0, text: turn[1]) } },
      pictures: pictures)
  }

  /// The name of the file for the outputs of its stages.
  package var fileName: String { name + ".safetensors" }

  /// The case as a question to be answered greedily.
  package func question(pictures: [Picture]) throws -> Question {
    Question(try turns(pictures: pictures), maxTokens: max(1, newTokens ?? 16))
  }
}
