import VL2Base

/// A JSON Schema that answers cannot be held to.
public enum SchemaError: ReportableError, Equatable {
  /// No such file, or not readable.
  case unavailable(file: String)
  /// Not a JSON text.
  case notJSON(file: String, problem: String)
  /// Not a schema; `path` names the part.
  case malformed(file: String, path: String, problem: String)
  /// A valid schema that uses something that is not supported.
  case unsupported(file: String, path: String, what: String)
  /// A keyword stands beside another with which it does not go together.
  case misplaced(file: String, path: String, keyword: String, beside: String)
  /// It allows more than answers can be held to; `path` names the part.
  case tooLarge(file: String, path: String, problem: String)
  /// There is no finite text: every text of the schema would have to contain another one.
  case endless(String)
  /// The model's tokens cannot spell it.
  case unwritable(String)
  /// The shortest text of the schema takes more tokens than may be written.
  case budget(String, tokens: Int, least: Int)

  public var kind: ErrorKind {
    switch self {
    case .unavailable: .noInput
    case .notJSON, .malformed, .unsupported, .misplaced, .tooLarge, .endless, .unwritable: .badData
    case .budget: .usage
    }
  }

  public var problem: String {
    switch self {
    case .unavailable(let file): "\(file): no such file, or not readable"
    case .notJSON(let file, let problem): "\(file): not a JSON text, \(problem)"
    case .malformed(let file, let path, let problem), .tooLarge(let file, let path, let problem):
      "\(file): \(path): \(problem)"
    case .unsupported(let file, let path, let what): "\(file): \(path): \(what) is not supported"
    case .misplaced(let file, let path, let keyword, let other):
      "\(file): \(path): \(keyword) beside \(other) is not supported"
    case .endless(let file): "\(file): no finite text fits, since the schema always needs itself"
    case .unwritable(let file):
      "\(file): the model's tokeniser has no token for a byte that every text needs"
    case .budget(let file, let tokens, let least):
      "\(file): the shortest text takes \(least) tokens, and \(tokens) may be written"
    }
  }

  public var hint: Hint {
    switch self {
    case .unavailable: "give a JSON Schema"
    case .notJSON: "docs/SCHEMA.md shows what it may say"
    case .malformed: .none
    case .unsupported: "docs/SCHEMA.md says what is"
    case .misplaced(_, _, _, let other):
      switch other {
      case "$ref": "write it into the part that $ref names"
      case "anyOf", "oneOf", "allOf": "write it into each schema of \(other)"
      case "type": "leave it out: it says nothing of such values"
      default: "leave it out, and the values that it would exclude"
      }
    case .tooLarge: "take a schema that asks for less"
    case .endless: "let a member of it be left out or be null"
    case .unwritable: "take another model"
    case .budget: "raise \(.maxTokens)"
    }
  }
}
