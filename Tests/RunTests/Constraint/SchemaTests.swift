import TestModels
import TestSupport
import Testing
import VL2Run

extension JSONSchema {
  /// A schema by the name `s.json`.
  init(text: String) throws { try self.init(Array(text.utf8), name: "s.json") }
}

@Suite struct SchemaTests {
  /// Whether a schema's grammar takes a text, as a whole.
  private func takes(_ text: String, _ schema: JSONSchema) throws -> Bool {
    let machine = try #require(GrammarMachine(schema.grammar))
    var state: Int? = machine.start
    for byte in text.utf8 { state = state.flatMap { machine.state(after: byte, $0) } }
    return state.map(machine.isWhole) ?? false
  }

  @Test func strings() throws {
    let plain = try JSONSchema(text: #"{"type": "string"}"#)
    for text in [#""""#, #""a\n\"\\\/é貓🐈""#, "\"\u{7F}\""] { #expect(try takes(text, plain), "\(text)") }
    for text in ["", "\"", "\"a", #""\u0041""#, #""\x""#, "\"\n\"", "\"a\" ", " \"a\"", "a", #""a""b""#] {
      #expect(try !takes(text, plain), "\(text)")
    }
    let counted = try JSONSchema(text: #"{"type": "string", "minLength": 2, "maxLength": 3}"#)
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
      let machine = try #require(GrammarMachine(try JSONSchema(text: json).grammar))
      var random = SplitMix64(seed: 4)
      for _ in 0..<40 {
        var state = machine.start
        // A few steps into a text.
        for _ in 0..<Int.random(in: 0...9, using: &random) {
          let next = (UInt8.min...UInt8.max).compactMap { machine.state(after: $0, state) }
          if let step = next.randomElement(using: &random) { state = step }
        }
        let allowed = vocabulary.allowed(by: machine, in: state)
        var fitting = 0
        for id in 0..<tokenizer.count where !tokenizer.addedTokens.contains(id) {
          var after: Int? = state
          for byte in tokenizer.bytes(of: id) { after = after.flatMap { machine.state(after: byte, $0) } }
          let fits = after != nil && !tokenizer.bytes(of: id).isEmpty
          if allowed.contains(id) != fits { Issue.record("\(json): token \(id)") }
          fitting += fits ? 1 : 0
        }
        // There is a way on, unless the text is whole.
        #expect(fitting > 0 || machine.isWhole(state), "\(json)")
      }
    }
  }

  /// Bytes that are not UTF-8 do not get into a string.
  @Test func stringsAreText() throws {
    let machine = try #require(GrammarMachine(try JSONSchema(text: #"{"type": "string"}"#).grammar))
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
    let schema = try JSONSchema(text: "{\"type\": \"\(type)\"\(bounds.isEmpty ? "" : ", " + bounds)}")
    for text in right { #expect(try takes(text, schema), "\(text)") }
    for text in wrong { #expect(try !takes(text, schema), "\(text)") }
  }

  @Test func structures() throws {
    let object = try JSONSchema(
      text:
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
    let array = try JSONSchema(
      text:
        #"{"type": "array", "items": {"type": ["boolean", "array"], "items": {"type": "null"}}, "minItems": 1, "maxItems": 3}"#
    )
    for text in ["[true]", "[false, true,[]]", "[[null,null],[],true]"] {
      #expect(try takes(text, array), "\(text)")
    }
    for text in ["[]", "[true,]", "[true,true,true,true]", "[null]", "[[true]]"] {
      #expect(try !takes(text, array), "\(text)")
    }
    let tree = try JSONSchema(
      text:
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
    #expect { try JSONSchema(text: json) } throws: { error in
      guard let error = error as? SchemaError else { return false }
      return error.description.hasPrefix("s.json: ") && error.description.contains(part)
        && !error.description.contains("\n")
    }
  }

}
