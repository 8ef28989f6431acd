import VL2Base
import VL2Run

/// Why a line is not an item: the end of an error line.
struct ItemProblem: Error {
  var text: String
  var hint: Hint

  init(_ text: String, _ hint: Hint = .none) {
    self.text = text
    self.hint = hint
  }

  init(_ error: any ReportableError) { self.init(error.problem, error.hint) }
}

/// The members of an item's JSON object. Every method throws `ItemProblem`.
struct ItemFields {
  private static let known: Set = ["task", "id", "images", "turns", "question", "answer", "match"]

  private var members: [String: JSONValue] = [:]

  init(_ text: [UInt8]) throws {
    let value: JSONValue
    do {
      value = try JSONReader.read(text)
    } catch let failure as JSONReader.Failure {
      throw ItemProblem(
        "not JSON, byte \(failure.offset): \(failure.problem)", "write one JSON object a line")
    }
    guard case .object(let list) = value else {
      throw ItemProblem("\(value.kind), not a JSON object", "write one JSON object a line")
    }
    for member in list {
      let key = String(decoding: member.key, as: UTF8.self)
      guard Self.known.contains(key) else {
        let name = JSONValue.string(member.key).kind
        throw ItemProblem(
          "the key \(name) is not known", "use \(Self.known.sorted().joined(separator: ", "))")
      }
      members[key] = member.value
    }
  }

  /// The member, which must be there.
  func required(_ key: String) throws -> JSONValue {
    guard let value = members[key] else { throw ItemProblem("\(key) is missing") }
    return value
  }

  /// A name that fits into a table; nil if there is none.
  func name(_ key: String) throws -> String? {
    guard let value = members[key] else { return nil }
    let text = try Self.string(value, key)
    guard !text.isEmpty, UntrustedText.isLine(text) else {
      throw ItemProblem("\(key) is \(value.kind)", "give a name without control characters")
    }
    return text
  }

  func match() throws -> ExpectedAnswer.Match {
    guard let value = members["match"] else { return .text }
    guard let match = ExpectedAnswer.Match(rawValue: try Self.string(value, "match")) else {
      let names = ExpectedAnswer.Match.allCases.map(\.rawValue).joined(separator: ", ")
      throw ItemProblem("match is \(value.kind)", "use one of \(names)")
    }
    return match
  }

  /// Paths as they are written; none if there are no pictures.
  func images() throws -> [String] {
    guard let value = members["images"] else { return [] }
    guard case .array(let list) = value else {
      throw ItemProblem("images is \(value.kind), not a list of paths")
    }
    return try list.map { value in
      let path = try Self.string(value, "images")
      guard !path.isEmpty, !path.utf8.contains(0) else {
        throw ItemProblem("images holds \(value.kind), which is no path")
      }
      return path
    }
  }

  /// `turns`, or `question` as the only turn. The last turn is the user's.
  func turns() throws -> [(role: Role, text: String)] {
    switch (members["question"], members["turns"]) {
    case (let question?, nil): return [(.user, try Self.string(question, "question"))]
    case (nil, let turns?): return try Self.turns(turns)
    case (nil, nil): throw ItemProblem("question is missing", "write question or turns")
    case (_?, _?): throw ItemProblem("question and turns are both there", "write one of them")
    }
  }

  private static func turns(_ value: JSONValue) throws -> [(role: Role, text: String)] {
    guard case .array(let list) = value else { throw ItemProblem("turns is \(value.kind), not a list") }
    let turns = try list.map { value -> (role: Role, text: String) in
      guard case .array(let pair) = value, pair.count == 2,
        let role = Role(rawValue: try string(pair[0], "a turn's role"))
      else {
        throw ItemProblem("a turn is [\"system\", \"user\" or \"assistant\", text], not \(value.kind)")
      }
      return (role, try string(pair[1], "a turn's text"))
    }
    guard turns.last?.role == .user else { throw ItemProblem("turns do not end with a turn of role user") }
    return turns
  }

  private static func string(_ value: JSONValue, _ what: String) throws -> String {
    guard case .string(let bytes) = value else { throw ItemProblem("\(what) is \(value.kind), not a string") }
    return String(decoding: bytes, as: UTF8.self)
  }
}
