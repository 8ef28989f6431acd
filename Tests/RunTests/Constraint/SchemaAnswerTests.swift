import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Base
import VL2Run

/// Answers that are held to a schema.
@Suite struct SchemaAnswerTests {
  @Test func endless() throws {
    let needsItself = try JSONSchema(
      text:
        ##"{"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}"##)
    let model = try PackedModels.open("nano-mha", .q4)
    var question = Question("go")
    question.form = .schema(needsItself)
    #expect(throws: SchemaError.endless("s.json")) { try model.answer(question) }
    question.form = .schema(try JSONSchema(text: ##"{"anyOf": [{"$ref": "#"}]}"##))
    #expect(throws: SchemaError.endless("s.json")) { try model.answer(question) }
    question.form = .schema(try JSONSchema(text: #"{"type": "string", "minLength": 60}"#))
    question.maxTokens = 5
    #expect { try model.answer(question) } throws: { error in
      guard case SchemaError.budget("s.json", tokens: 5, least: _)? = error as? SchemaError else {
        return false
      }
      return true
    }
  }

  /// 200 random schemas: every answer parses and fits, drawn at all temperatures, cut short by the budget or not.
  @Test func randomSchemas() throws {
    let model = try PackedModels.open("nano-mha", .q4, threads: 1)
    var random = SplitMix64(seed: 41)
    var endings: [Ending: Int] = [:]
    for round in 0..<200 {
      var maker = RandomSchema(random: random)
      let text = maker.schema(depth: 3)
      random = maker.random
      let value = try JSONReader.read(Array(text.utf8))
      var question = Question("go", maxTokens: [40, 80, 200][round % 3])
      question.form = .schema(try JSONSchema(text: text))
      question.sampling = Sampling(
        temperature: [0, 0.7, 1, 1.5][round % 4], topP: round % 5 == 0 ? 0.9 : 1, seed: UInt64(round))
      let answer: Answer
      do {
        answer = try model.answer(question)
      } catch SchemaError.budget(_, tokens: _, let least) {
        question.maxTokens = least
        answer = try model.answer(question)
      }
      endings[answer.ending, default: 0] += 1
      let json = try JSONReader.read(Array(answer.text.utf8))
      #expect(SchemaCheck.accepts(json, value), "\(text): \(answer.text)")
    }
    #expect(endings[.complete, default: 0] > 60 && endings[.maxTokens, default: 0] > 5, "\(endings)")
  }

  /// The same answer for the same seed, whatever the threads.
  @Test func deterministic() throws {
    let object = try JSONSchema(
      text:
        #"{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "number"}}, "required": ["a", "b"]}"#
    )
    let answers = try [1, 3].map { threads in
      let model = try PackedModels.open("nano-mha", .q4, threads: threads)
      var question = Question("go", maxTokens: 40)
      question.form = .schema(object)
      question.sampling = Sampling(temperature: 1, seed: 4)
      return try model.answer(question).tokens
    }
    #expect(answers[0] == answers[1])
  }
}

/// Writes random schemas.
private struct RandomSchema {
  var random: SplitMix64

  private mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &random) }
  private mutating func chance() -> Bool { Bool.random(using: &random) }

  mutating func schema(depth: Int) -> String {
    switch number(depth > 0 ? 0...12 : 0...6) {
    case 0, 1:
      let least = number(0...6)
      var text = #"{"type":"string""#
      if chance() { text += ",\"minLength\":\(least)" }
      if chance() { text += ",\"maxLength\":\(least + number(0...10))" }
      return text + "}"
    case 2, 3:
      let isInteger = chance()
      let least = Double(number(-2000...2000)) / (isInteger ? 1 : 64)
      let most = least + (isInteger ? Double(number(2...500)) : Double(number(1...500)) / 64)
      var text = "{\"type\":\"\(isInteger ? "integer" : "number")\""
      if chance() { text += ",\"\(chance() ? "minimum" : "exclusiveMinimum")\":\(least)" }
      if chance() { text += ",\"\(chance() ? "maximum" : "exclusiveMaximum")\":\(most)" }
      return text + "}"
    case 4:
      let values = [
        #""a""#, #""ab""#, #""a \"b\"""#, #""é\n""#, "1", "12", "-2.5", "null", "true", #"[1,{"k":[]}]"#,
        "1e-7",
      ]
      let first = number(0...values.count - 1)
      return "{\"enum\":[\(values[first..<min(values.count, first + number(1...4))].joined(separator: ","))]}"
    case 5:
      let types = ["string", "integer", "number", "boolean", "null"]
      let first = number(0...types.count - 1)
      let some = types[first..<min(types.count, first + number(1...3))].map { "\"\($0)\"" }
      return "{\"type\":[\(some.joined(separator: ","))]}"
    case 6: return #"{"const":{"a":[1,null]}}"#
    case 7, 8, 9:
      let names = ["a", "b c", #"q\"x"#, "é", "0"].prefix(number(0...5))
      let members = names.map { "\"\($0)\":" + schema(depth: depth - 1) }
      let required = names.filter { _ in chance() }.map { "\"\($0)\"" }
      return
        "{\"type\":\"object\",\"properties\":{\(members.joined(separator: ","))},\"required\":[\(required.joined(separator: ","))]\(chance() ? ",\"additionalProperties\":false" : "")}"
    case 10, 11:
      let least = number(0...3)
      var text = #"{"type":"array","items":"# + schema(depth: depth - 1)
      if chance() { text += ",\"minItems\":\(least)" }
      if chance() { text += ",\"maxItems\":\(least + number(0...4))" }
      return text + "}"
    default:
      let parts = (0..<number(1...3)).map { _ in schema(depth: depth - 1) }
      return "{\"anyOf\":[\(parts.joined(separator: ","))]}"
    }
  }
}

/// What the specification of JSON Schema says about a value, for the subset that `RandomSchema` writes.
private enum SchemaCheck {
  static func accepts(_ value: JSONValue, _ schema: JSONValue) -> Bool {
    guard case .object(let list) = schema else { return false }
    let keywords = Dictionary(
      list.map { (String(decoding: $0.key, as: UTF8.self), $0.value) }, uniquingKeysWith: { $1 })
    if case .array(let schemas)? = keywords["anyOf"] { return schemas.contains { accepts(value, $0) } }
    if case .array(let values)? = keywords["enum"] { return values.contains { $0.isEquivalent(to: value) } }
    if let only = keywords["const"] { return only.isEquivalent(to: value) }
    let types: [JSONValue]
    switch keywords["type"] {
    case .array(let list): types = list
    case let one?: types = [one]
    case nil: return false
    }
    return types.contains { type in
      guard case .string(let name) = type else { return false }
      return accepts(value, type: String(decoding: name, as: UTF8.self), keywords)
    }
  }

  private static func accepts(_ value: JSONValue, type: String, _ keywords: [String: JSONValue]) -> Bool {
    func bound(_ key: String) -> Double? { keywords[key].flatMap(number) }
    switch (type, value) {
    case ("null", .null), ("boolean", .bool): return true
    case ("integer", .integer), ("number", .integer), ("number", .real):
      guard let number = number(value) else { return false }
      return number >= bound("minimum") ?? number && number <= bound("maximum") ?? number
        && bound("exclusiveMinimum").map { number > $0 } ?? true
        && bound("exclusiveMaximum").map { number < $0 } ?? true
    case ("string", .string(let text)):
      let count = Double(String(decoding: text, as: UTF8.self).unicodeScalars.count)
      return count >= bound("minLength") ?? 0 && count <= bound("maxLength") ?? .infinity
    case ("array", .array(let elements)):
      let count = Double(elements.count)
      guard let items = keywords["items"] else { return false }
      return count >= bound("minItems") ?? 0 && count <= bound("maxItems") ?? .infinity
        && elements.allSatisfy { accepts($0, items) }
    case ("object", .object(let members)):
      guard case .object(let properties)? = keywords["properties"],
        case .array(let required)? = keywords["required"]
      else { return false }
      return required.allSatisfy { name in members.contains { .string($0.key) == name } }
        && members.allSatisfy { member in
          properties.contains { $0.key == member.key && accepts(member.value, $0.value) }
        }
    default: return false
    }
  }

  private static func number(_ value: JSONValue) -> Double? {
    switch value {
    case .integer(let number): Double(number)
    case .real(let number): number
    default: nil
    }
  }
}
