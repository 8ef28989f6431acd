import Foundation
import TestSupport
import Testing
import VL2Base
import VL2Run

@Suite struct SchemaTests {
  private func schema(_ json: String) throws -> JSONSchema {
    try JSONSchema(Array(json.utf8), name: "s.json")
  }

  /// Whether a schema's grammar takes a text, as a whole.
  private func takes(_ text: String, _ schema: JSONSchema) throws -> Bool {
    let machine = try #require(GrammarMachine(schema.grammar))
    var state: Int? = machine.start
    for byte in text.utf8 { state = state.flatMap { machine.state(after: byte, $0) } }
    return state.map(machine.isWhole) ?? false
  }

  @Test func strings() throws {
    let plain = try schema(#"{"type": "string"}"#)
    for text in [#""""#, #""a\n\"\\\/é貓🐈""#, "\"\u{7F}\""] { #expect(try takes(text, plain), "\(text)") }
    for text in ["", "\"", "\"a", #""\u0041""#, #""\x""#, "\"\n\"", "\"a\" ", " \"a\"", "a", #""a""b""#] {
      #expect(try !takes(text, plain), "\(text)")
    }
    let counted = try schema(#"{"type": "string", "minLength": 2, "maxLength": 3}"#)
    for (text, fits) in [
      ("a", false), ("ab", true), ("貓é🐈", true), ("abcd", false), (#"a\n"#, true), (#"\\\n\"a"#, false),
    ] {
      #expect(try takes("\"\(text)\"", counted) == fits, "\(text)")
    }
  }

  /// Tokens that are looked at together are those that can follow one by one.
  @Test func tokensThatMayFollow() throws {
    let tokenizer = try TokenizerFixtures.small.get()
    let vocabulary = Vocabulary(tokenizer)
    for json in [
      #"{"type": "string"}"#, #"{"type": "string", "minLength": 3, "maxLength": 9}"#,
      #"{"type": "array", "items": {"enum": ["a", "the", -7]}, "maxItems": 3}"#,
    ] {
      let machine = try #require(GrammarMachine(try schema(json).grammar))
      var random = SplitMix64(seed: 4)
      for _ in 0..<40 {
        var state = machine.start
        // A few steps into a text.
        for _ in 0..<Int.random(in: 0...9, using: &random) {
          let next = (UInt8.min...UInt8.max).compactMap { machine.state(after: $0, state) }
          if let step = next.randomElement(using: &random) { state = step }
        }
        let allowed = vocabulary.allowed(by: machine, in: state)
        for id in 0..<tokenizer.count where !tokenizer.addedTokens.contains(id) {
          var after: Int? = state
          for byte in tokenizer.bytes(of: id) { after = after.flatMap { machine.state(after: byte, $0) } }
          let fits = after != nil && !tokenizer.bytes(of: id).isEmpty
          if allowed.contains(id) != fits { Issue.record("\(json): token \(id)") }
        }
      }
    }
  }

  /// Bytes that are not UTF-8 do not get into a string.
  @Test func stringsAreText() throws {
    let machine = try #require(GrammarMachine(try schema(#"{"type": "string"}"#).grammar))
    var random = SplitMix64(seed: 9)
    var whole = 0
    for _ in 0..<20_000 {
      var bytes = [UInt8(ascii: "\"")]
      for _ in 0..<Int.random(in: 0...4, using: &random) {
        bytes.append(
          UInt8.random(in: Bool.random(using: &random) ? 0x80...0xFF : 0x60...0x7A, using: &random))
      }
      bytes.append(UInt8(ascii: "\""))
      var state: Int? = machine.start
      for byte in bytes { state = state.flatMap { machine.state(after: byte, $0) } }
      let isTaken = state.map(machine.isWhole) ?? false
      if isTaken != (String(validating: bytes, as: UTF8.self) != nil) { Issue.record("\(bytes)") }
      whole += isTaken ? 1 : 0
    }
    #expect((1000..<19_000).contains(whole))
  }

  @Test(arguments: [
    (
      "integer", "", ["0", "-1", "12", "999999999999999"],
      ["-0", "01", "1.0", "1e3", "", "-", "+1", "1000000000000000"]
    ),
    (
      "integer", #""minimum": 5, "maximum": 12"#, ["5", "9", "10", "12"],
      ["4", "13", "1", "0", "-5", "05", "100"]
    ),
    (
      "integer", #""minimum": -12, "exclusiveMaximum": -3"#, ["-12", "-4", "-10"],
      ["-3", "-13", "3", "0", "-1", "-2"]
    ),
    ("integer", #""minimum": 0.5, "maximum": 1.5"#, ["1"], ["0", "2"]),
    (
      "number", "", ["0", "-0.5", "3.25", "123456789.123456"],
      ["-0", "-0.0", "1.", ".5", "1e5", "0.1234567", "00.5"]
    ),
    (
      "number", #""minimum": -0.5, "exclusiveMaximum": 1"#, ["-0.5", "0", "0.999999", "-0.499999", "0.0"],
      ["1", "1.0", "-0.500001", "-1", "0.9999999"]
    ),
    (
      "number", #""exclusiveMinimum": 0.1, "maximum": 0.3"#, ["0.2", "0.3", "0.100001", "0.15"],
      ["0.1", "0.300001", "0", "0.10", "1"]
    ),
    ("number", #""minimum": 100, "maximum": 100"#, ["100", "100.0"], ["10", "99", "1000", "100.1"]),
  ])
  func numbers(type: String, bounds: String, right: [String], wrong: [String]) throws {
    let schema = try schema("{\"type\": \"\(type)\"\(bounds.isEmpty ? "" : ", " + bounds)}")
    for text in right { #expect(try takes(text, schema), "\(text)") }
    for text in wrong { #expect(try !takes(text, schema), "\(text)") }
  }

  @Test func structures() throws {
    let object = try schema(
      #"{"type": "object", "properties": {"a": {"type": "null"}, "b": {"enum": [1, 12, "x"]}, "c\"": {"const": [1, {"k": true}]}}, "required": ["b"]}"#
    )
    for text in [
      #"{"b":1}"#, #"{"a":null,"b":12}"#, #"{"a": null, "b": "x", "c\"": [1,{"k":true}]}"#,
      #"{"b":1,"c\"":[1,{"k":true}]}"#,
    ] { #expect(try takes(text, object), "\(text)") }
    for text in [
      "{}", #"{"a":null}"#, #"{"b":1,"a":null}"#, #"{"b":1,}"#, #"{"b":  1}"#, #"{ "b":1}"#, #"{"b":2}"#,
      #"{"b":1,"d":2}"#,
    ] { #expect(try !takes(text, object), "\(text)") }
    let array = try schema(
      #"{"type": "array", "items": {"type": ["boolean", "array"], "items": {"type": "null"}}, "minItems": 1, "maxItems": 3}"#
    )
    for text in ["[true]", "[false, true,[]]", "[[null,null],[],true]"] {
      #expect(try takes(text, array), "\(text)")
    }
    for text in ["[]", "[true,]", "[true,true,true,true]", "[null]", "[[true]]"] {
      #expect(try !takes(text, array), "\(text)")
    }
    let tree = try schema(
      ##"{"$ref": "#/$defs/n~0~1de", "$defs": {"n~/de": {"type": "object", "properties": {"k": {"type": "array", "items": {"$ref": "#/$defs/n~0~1de"}}}}}}"##
    )
    for text in ["{}", #"{"k":[{"k":[]},{}]}"#] { #expect(try takes(text, tree), "\(text)") }
    #expect(try !takes(#"{"k":[1]}"#, tree))
  }

  @Test(arguments: [
    ("", "not a JSON text"), ("[]", "#"), ("true", "#"), ("{}", "without type"),
    (#"{"type": "text"}"#, "#/type"),
    (#"{"type": "string", "pattern": "a"}"#, "#/pattern"), (#"{"type": "array"}"#, "items"),
    (#"{"oneOf": [{"type": "null"}]}"#, "#/oneOf"), (#"{"type": "string", "minLength": -1}"#, "#/minLength"),
    (#"{"type": "string", "minLength": 3, "maxLength": 2}"#, "#/maxLength"),
    (#"{"type": "integer", "minimum": 3, "maximum": 2}"#, "between the bounds"),
    (#"{"type": "integer", "minimum": "3"}"#, "#/minimum"), (#"{"enum": []}"#, "#/enum"),
    (#"{"type": "string", "enum": [1]}"#, "none of the values"), (##"{"$ref": "#/$defs/a"}"##, "#/$ref"),
    (#"{"$ref": "other.json"}"#, "#/$ref"), (#"{"anyOf": []}"#, "#/anyOf"),
    (#"{"type": "object", "required": ["a"]}"#, "\"a\""),
    (
      #"{"type": "object", "properties": {"a": {"type": "object", "additionalProperties": {"type": "null"}}}}"#,
      "#/properties/a/additionalProperties"
    ),
  ])
  func refused(json: String, naming part: String) {
    #expect { try schema(json) } throws: { error in
      guard let error = error as? SchemaError else { return false }
      return error.description.hasPrefix("s.json: ") && error.description.contains(part)
        && !error.description.contains("\n")
    }
  }

  @Test func endless() throws {
    let needsItself = try schema(
      ##"{"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]}"##)
    let model = try PackedModels.open("nano-mha", .q4)
    var request = Session.Request(turns: [Turn(role: .user, text: "go")])
    request.schema = needsItself
    #expect(throws: SchemaError.endless("s.json")) { try Session(model).answer(request) }
    request.schema = try schema(##"{"anyOf": [{"$ref": "#"}]}"##)
    #expect(throws: SchemaError.endless("s.json")) { try Session(model).answer(request) }
    request.schema = try schema(#"{"type": "string", "minLength": 60}"#)
    request.maxTokens = 5
    #expect { try Session(model).answer(request) } throws: { error in
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
    var endings: [Session.Ending: Int] = [:]
    for round in 0..<200 {
      var maker = RandomSchema(random: random)
      let text = maker.schema(depth: 3)
      random = maker.random
      let value = try JSONReader.read(Array(text.utf8))
      var request = Session.Request(
        turns: [Turn(role: .user, text: "go")], maxTokens: [40, 80, 200][round % 3])
      request.schema = try schema(text)
      request.sampling = Sampling(
        temperature: [0, 0.7, 1, 1.5][round % 4], topP: round % 5 == 0 ? 0.9 : 1, seed: UInt64(round))
      let answer: Session.Answer
      do {
        answer = try Session(model).answer(request)
      } catch SchemaError.budget(_, tokens: _, let least) {
        request.maxTokens = least
        answer = try Session(model).answer(request)
      }
      endings[answer.ending, default: 0] += 1
      let json = try? JSONReader.read(Array(answer.text.utf8))
      let fits = json.map { SchemaCheck.accepts($0, value) } ?? false
      #expect(fits, "\(text): \(answer.text)")
    }
    #expect(endings[.complete, default: 0] > 60 && endings[.maxTokens, default: 0] > 5, "\(endings)")
  }

  /// The same answer for the same seed, whatever the threads.
  @Test func deterministic() throws {
    let object = try schema(
      #"{"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "number"}}, "required": ["a", "b"]}"#
    )
    let answers = try [1, 3].map { threads in
      let model = try PackedModels.open("nano-mha", .q4, threads: threads)
      var request = Session.Request(turns: [Turn(role: .user, text: "go")], maxTokens: 40)
      request.schema = object
      request.sampling = Sampling(temperature: 1, seed: 4)
      return try Session(model).answer(request).tokens
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
