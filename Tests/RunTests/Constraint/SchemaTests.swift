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
    var state: GrammarMachine.State? = machine.start
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

  /// A `type` beside `anyOf` holds for each of its schemas.
  @Test func aTypeBesideAlternatives() throws {
    for schema in [
      #"{"type": "string", "anyOf": [{"const": "a"}, {"maxLength": 0}, {"type": "integer"}]}"#,
      #"{"type": "string", "oneOf": [{"const": "a"}, {"enum": [""]}, {"type": "integer"}]}"#,
    ] {
      let texts = try JSONSchema(text: schema)
      for (text, fits) in [(#""a""#, true), (#""""#, true), (#""b""#, false), ("1", false), ("null", false)] {
        #expect(try takes(text, texts) == fits, "\(text)")
      }
    }
    let numbers = try JSONSchema(
      text:
        #"{"type": ["integer", "null"], "anyOf": [{"type": "number", "minimum": 5}, {"type": ["null", "string"]}]}"#
    )
    for (text, fits) in [("5", true), ("5.5", false), ("4", false), ("null", true), (#""""#, false)] {
      #expect(try takes(text, numbers) == fits, "\(text)")
    }
    let named = try JSONSchema(
      text:
        ##"{"type": "object", "anyOf": [{"$ref": "#/$defs/A"}, {"properties": {"b": {"type": "null"}}, "required": ["b"]}], "$defs": {"A": {"type": "object", "properties": {"a": {"const": 1}}}}}"##
    )
    for (text, fits) in [(#"{"a":1}"#, true), (#"{"b":null}"#, true), (#"{"c":1}"#, false), ("1", false)] {
      #expect(try takes(text, named) == fits, "\(text)")
    }
  }

  @Test(arguments: [
    (
      #"{"type": "object", "properties": {}, "anyOf": [{"required": ["a"]}]}"#,
      "#/properties: properties beside anyOf is not supported; write it into each schema of anyOf"
    ),
    (
      ##"{"$ref": "#/$defs/A", "minimum": 3, "$defs": {"A": {"type": "integer"}}}"##,
      "#/minimum: minimum beside $ref is not supported; write it into the part that $ref names"
    ),
    (
      ##"{"$ref": "#/$defs/A", "type": "string", "$defs": {"A": {"type": "integer"}}}"##,
      "#/type: type beside $ref is not supported; write it into the part that $ref names"
    ),
    (
      #"{"enum": ["a"], "minLength": 3}"#,
      "#/minLength: minLength beside enum is not supported; leave it out, and the values that it would exclude"
    ),
    (
      #"{"type": "string", "minimum": 3}"#,
      "#/minimum: minimum beside type is not supported; leave it out: it says nothing of such values"
    ),
    (#"{"type": "null", "anyOf": [{"type": "string"}]}"#, "#/anyOf: none of its schemas has the type"),
  ])
  func keywordsThatDoNotGoTogether(_ schema: String, line: String) {
    #expect(schemaError(schema)?.description == "s.json: \(line)")
  }

  private func schemaError(_ text: String) -> SchemaError? {
    thrown { _ = try JSONSchema(text: text) } as? SchemaError
  }

  /// Whole numbers of any size are written as the schema writes them.
  @Test(arguments: [
    "18446744073709551615", "-9223372036854775809", "340282366920938463463374607431768211456",
  ])
  func constantsBeyond64Bits(_ number: String) throws {
    for schema in [#"{"const": \#(number)}"#, #"{"type": "integer", "enum": [1, \#(number)]}"#] {
      let schema = try JSONSchema(text: schema)
      #expect(try takes(number, schema) && !takes(number + "0", schema) && !takes("1e20", schema))
    }
    let bound = try JSONSchema(
      text: #"{"type": "integer", "maximum": 340282366920938463463374607431768211456}"#)
    #expect(try takes("9223372036854775807", bound))
    #expect(
      schemaError(#"{"oneOf": [{"const": 18446744073709551616}, {"const": 1.8446744073709552e19}]}"#) != nil)
  }

  @Test func aByteOrderMarkIsSkipped() throws {
    #expect(
      try takes("null", JSONSchema([0xEF, 0xBB, 0xBF] + Array(#"{"type":"null"}"#.utf8), name: "s.json")))
  }

  /// Tokens that are looked at together are those that can follow one by one.
  @Test func tokensThatMayFollow() throws {
    let tokenizer = try TokenizerFixtures.small.get()
    let vocabulary = Vocabulary(tokenizer)
    for json in [
      #"{"type": "string"}"#, #"{"type": "string", "minLength": 3, "maxLength": 9}"#,
      #"{"type": "array", "items": {"enum": ["a", "the", -7]}, "maxItems": 3}"#,
      #"{"type": "array", "items": {"type": "string", "minLength": 2, "maxLength": 5}, "maxItems": 2}"#,
      #"{"anyOf": [{"type": "string", "minLength": 4}, {"enum": ["there", "t"]}, {"type": "string", "maxLength": 2}]}"#,
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
          var after: GrammarMachine.State? = state
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
      var state: GrammarMachine.State? = machine.start
      for byte in bytes { state = state.flatMap { machine.state(after: byte, $0) } }
      let isTaken = state.map(machine.isWhole) ?? false
      if isTaken != (String(validating: bytes, as: UTF8.self) != nil) { Issue.record("\(bytes)") }
      whole += isTaken ? 1 : 0
    }
    #expect((1000..<19_000).contains(whole))
  }

  @Test(arguments: [
    (
      "integer", "", ["0", "-1", "12", "9223372036854775807", "-9223372036854775808"],
      [
        "-0", "01", "1.0", "1e3", "", "-", "+1", "9223372036854775808", "-9223372036854775809",
        "10000000000000000000",
      ]
    ),
    (
      "integer", #""minimum": 9007199254740993, "exclusiveMaximum": 9223372036854775807"#,
      ["9007199254740993", "9007199254740994", "9223372036854775806", "9100000000000000000"],
      ["9007199254740992", "9223372036854775807", "9", "0", "-9007199254740993"]
    ),
    (
      "integer", #""exclusiveMinimum": -9223372036854775808, "maximum": -9223372036854775806"#,
      ["-9223372036854775807", "-9223372036854775806"], ["-9223372036854775808", "-9223372036854775805", "0"]
    ),
    (
      "integer", #""minimum": -18446744073709551616, "maximum": 1e30"#,
      ["9223372036854775807", "-9223372036854775808"], ["9223372036854775808"]
    ),
    ("integer", #""exclusiveMinimum": 1.0, "exclusiveMaximum": 3.5"#, ["2", "3"], ["1", "4"]),
    (
      "number", #""minimum": -1e20, "exclusiveMaximum": 999999999"#,
      ["999999998.999999", "-999999999.999999"],
      ["999999999", "999999999.0"]
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
        #"{"type": "object", "properties": {"a": {"type": "null"}, "b": {"enum": [1, 12, "x"]}, "c\"": {"enum": [[1, {"k": true}]]}}, "required": ["b"]}"#
    )
    for text in [
      #"{"b":1}"#, #"{"a":null,"b":12}"#, #"{"a": null, "b": "x", "c\"": [1,{"k":true}]}"#,
      #"{"b":1,"c\"":[1,{"k":true}]}"#,
    ] { #expect(try takes(text, object), "\(text)") }
    for text in [
      "{}", #"{"a":null}"#, #"{"b":1,"a":null}"#, #"{"b":1,}"#, #"{"b":  1}"#, #"{ "b":1}"#, #"{"b":2}"#,
      #"{"b":1,"d":2}"#,
    ] { #expect(try !takes(text, object), "\(text)") }
    // What can have one value only is always there.
    let tagged = try JSONSchema(
      text: #"{"type": "object", "properties": {"a": {"const": 1}, "b": {"type": "null"}}}"#)
    for text in [#"{"a":1}"#, #"{"a":1,"b":null}"#] { #expect(try takes(text, tagged), "\(text)") }
    for text in ["{}", #"{"b":null}"#] { #expect(try !takes(text, tagged), "\(text)") }
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
    ("", "not a JSON text"), ("[]", "#: an array"), ("false", "#: false"), ("123", "#: 123"),
    (#"{"minLength": 1}"#, "without type"), (#"{"type": []}"#, "#/type"), (#"{"type": 123}"#, "#/type: 123"),
    (#"{"type": "hiccup"}"#, "#/type: \"hiccup\""),
    (#"{"type": "text"}"#, "#/type"),
    (#"{"type": "string", "pattern": "a"}"#, "#/pattern"),
    (#"{"type": "array", "uniqueItems": true}"#, "#/uniqueItems"),
    (#"{"type": "integer", "multipleOf": 2}"#, "#/multipleOf"), (#"{"not": {}}"#, "#/not"),
    (#"{"type": "object", "patternProperties": {}}"#, "#/patternProperties"),
    (#"{"oneOf": [{"type": "integer"}, {"type": "number"}]}"#, "#/oneOf"),
    (#"{"oneOf": [{"type": "object"}, {"type": "object"}]}"#, "#/oneOf"),
    (#"{"oneOf": [{}, true]}"#, "#/oneOf"),
    (#"{"oneOf": [{"const": 1}, {"enum": [2, 1.0]}]}"#, "#/oneOf"),
    (##"{"oneOf": [{"$ref": "#"}, {"type": "null"}]}"##, "#/oneOf"),
    (
      #"{"oneOf": [{"type": "object", "properties": {"k": {"const": 1}}, "required": ["k"]}, {"type": "object", "properties": {"k": {"enum": [2, 3]}}}]}"#,
      "#/oneOf"
    ),
    (#"{"allOf": [{"type": "null"}, {}]}"#, "#/allOf"), (#"{"allOf": []}"#, "#/allOf"),
    (#"{"type": "null", "nullable": "yes"}"#, "#/nullable"),
    (#"{"type": "integer", "minimum": 1.8446744073709552e19}"#, "#/minimum"),
    (#"{"type": "integer", "exclusiveMinimum": 9223372036854775807}"#, "#/exclusiveMinimum"),
    (#"{"type": "integer", "maximum": -1e19}"#, "#/maximum"),
    (#"{"type": "number", "minimum": 1000000000}"#, "#/minimum"),
    (#"{"const": 1, "enum": [2]}"#, "#/const"), (#"{"type": "string", "minLength": -1}"#, "#/minLength"),
    (#"{"type": "string", "minLength": 3, "maxLength": 2}"#, "#/maxLength"),
    (#"{"type": "integer", "minimum": 3, "maximum": 2}"#, "between the bounds"),
    (#"{"type": "integer", "minimum": "3"}"#, "#/minimum"), (#"{"enum": []}"#, "#/enum"),
    (#"{"type": "string", "enum": [1]}"#, "none of the values"), (##"{"$ref": "#/$defs/a"}"##, "#/$ref"),
    (#"{"$ref": "other.json"}"#, "#/$ref"), (#"{"anyOf": []}"#, "#/anyOf"),
    (#"{"type": "object", "required": ["a"]}"#, "\"a\""),
    (
      #"{"type": "object", "properties": {"a": {"type": "object", "additionalProperties": {"type": "nil"}}}}"#,
      "#/properties/a/additionalProperties/type"
    ),
  ])
  func refused(json: String, naming part: String) {
    #expect { try JSONSchema(text: json) } throws: { error in
      guard let error = error as? SchemaError else { return false }
      return error.description.hasPrefix("s.json: ") && error.description.contains(part)
        && !error.description.contains("\n")
    }
  }

  /// Words without effect, and those that only look like a keyword.
  @Test func annotations() throws {
    let words =
      #""title": "T", "description": "d", "default": 1, "strict": true, "discriminator": {"propertyName": "k"}, "examples": []"#
    for part in [
      ##""$ref": "#/$defs/a""##, #""anyOf": [{"type": "null"}]"#, #""allOf": [{"type": "null"}]"#,
      #""oneOf": [{"type": "null"}]"#, #""type": "null""#, #""const": null"#, #""enum": [null]"#,
    ] {
      let schema = try JSONSchema(text: "{\(words), \(part), \"$defs\": {\"a\": {\"type\": \"null\"}}}")
      #expect(try takes("null", schema) && !takes("1", schema), "\(part)")
    }
  }

  @Test func nullable() throws {
    for part in [
      ##""$ref": "#/$defs/a""##, #""anyOf": [{"type": "integer"}]"#, #""type": "integer", "maximum": 3"#,
      #""type": "integer", "enum": [1, 2]"#,
    ] {
      let definitions = #""$defs": {"a": {"type": "integer"}}"#
      let with = try JSONSchema(text: "{\"nullable\": true, \(part), \(definitions)}")
      #expect(try takes("null", with) && takes("2", with) && !takes("true", with), "\(part)")
      let without = try JSONSchema(text: "{\"nullable\": false, \(part), \(definitions)}")
      #expect(try !takes("null", without) && takes("2", without), "\(part)")
    }
  }

  @Test func alternatives() throws {
    let tagged = #"{"type": "object", "properties": {"k": {"const": "a"}}, "required": ["k"]}"#
    let other =
      #"{"type": "object", "properties": {"k": {"enum": ["b"]}, "n": {"type": "null"}}, "required": ["k"]}"#
    let one = try JSONSchema(
      text:
        ##"{"oneOf": [\##(tagged), {"$ref": "#/$defs/o"}, {"type": "null"}], "$defs": {"o": \##(other)}}"##)
    for text in [#"{"k":"a"}"#, #"{"k":"b","n":null}"#, "null"] { #expect(try takes(text, one), "\(text)") }
    for text in [#"{"k":"a","n":null}"#, #"{"k":"c"}"#, "{}"] { #expect(try !takes(text, one), "\(text)") }
    let values = try JSONSchema(
      text: #"{"oneOf": [{"const": "a", "title": "A"}, {"enum": ["b", 1]}, {"type": "array"}]}"#)
    for text in [#""a""#, #""b""#, "1", "[2]"] { #expect(try takes(text, values), "\(text)") }
    let both = try JSONSchema(text: #"{"const": "a", "enum": ["a"], "type": "string"}"#)
    #expect(try takes(#""a""#, both))
  }

  /// Values of which a schema says little.
  @Test func anyValues() throws {
    let some = [#"{"a":[1,{"b":null}],"":-0.5}"#, "[]", "{}", #""x""#, "true", "12.5", "null"]
    for schema in ["{}", "true", #"{"title": "Extra", "default": null}"#] {
      let any = try JSONSchema(text: schema)
      for text in some { #expect(try takes(text, any), "\(schema): \(text)") }
      for text in ["{1:2}", "[1,]", "tru", #"{"a"}"#] { #expect(try !takes(text, any), "\(schema): \(text)") }
      let nested = { String(repeating: "[", count: $0) + String(repeating: "]", count: $0) }
      #expect(try takes(nested(16), any) && !takes(nested(18), any))
    }
    for schema in [#"{"type": "object"}"#, #"{"type": "object", "additionalProperties": true}"#] {
      let object = try JSONSchema(text: schema)
      #expect(
        try takes(some[0], object) && takes("{}", object) && !takes("[]", object) && !takes("1", object))
    }
    #expect(try takes(some[0], .anyObject) && !takes("[]", .anyObject))
    let list = try JSONSchema(text: #"{"type": "array", "maxItems": 2}"#)
    #expect(try takes(#"["a", {"b":[]}]"#, list) && !takes("[1,2,3]", list))
    let counts = try JSONSchema(text: #"{"type": "object", "additionalProperties": {"type": "integer"}}"#)
    #expect(try takes(#"{"a":1, "b":2}"#, counts) && takes("{}", counts) && !takes(#"{"a":"b"}"#, counts))
    let closed = try JSONSchema(text: #"{"type": "object", "additionalProperties": false}"#)
    #expect(try takes("{}", closed) && !takes(#"{"a":1}"#, closed))
    let named = try JSONSchema(
      text: #"{"type": "object", "properties": {"a": {}}, "additionalProperties": {"type": "null"}}"#)
    #expect(try takes(#"{"a":[]}"#, named) && !takes(#"{"b":null}"#, named))
  }

  /// Members that are called as keywords are.
  @Test func namesOfKeywords() throws {
    let schema = try JSONSchema(text: ClientSchemas.strict)
    #expect(
      try takes(
        #"{"title":"t","type":"a","properties":[],"$ref":1,"required":true,"default":{"const":"x"}}"#, schema)
    )
  }
}
