import Foundation
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
      #expect(SchemaCheck(value).accepts(json), "\(text): \(answer.text)")
    }
    #expect(endings[.complete, default: 0] > 60 && endings[.maxTokens, default: 0] > 5, "\(endings)")
  }

  /// Schemas as clients write them.
  @Test(arguments: ClientSchemas.all.indices) func clients(index: Int) throws {
    let schema = ClientSchemas.all[index]
    let model = try PackedModels.open("nano-mha", .q4, threads: 1)
    let check = SchemaCheck(try JSONReader.read(Array(schema.utf8)))
    for round in 0..<8 {
      var question = Question("go", maxTokens: [700, 900][round % 2])
      question.form = .schema(try JSONSchema(text: schema))
      question.sampling = Sampling(temperature: [0.7, 1.2][round / 4], seed: UInt64(round))
      let text = try model.answer(question).text
      #expect(check.accepts(try JSONReader.read(Array(text.utf8))), "\(text)")
    }
  }

  /// Objects of which nothing is said are whole too, and hold some variety.
  @Test func anyObject() throws {
    let model = try PackedModels.open("nano-mha", .q4, threads: 1)
    var longest = 0
    for round in 0..<20 {
      var question = Question("go", maxTokens: 60)
      question.form = .schema(.anyObject)
      question.sampling = Sampling(temperature: 1, seed: UInt64(round))
      let text = try model.answer(question).text
      // Names may come twice, which our own reader refuses.
      #expect(try JSONSerialization.jsonObject(with: Data(text.utf8)) is [String: Any], "\(text)")
      longest = max(longest, text.utf8.count)
    }
    #expect(longest > 40)
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
