import TestModels
import TestSupport
import Testing
import VL2Run

/// Schemas from somebody who means harm, or whose program ran wild: neither they nor answers under them take more time
/// and memory than they may.
@Suite struct SchemaSizeTests {
  /// A schema of `count` properties.
  private static func properties(_ count: Int, required: Bool) -> String {
    let names = (0..<count).map { "\"name \($0)\"" }
    let members = names.map { $0 + #":{"type":"integer"}"# }.joined(separator: ",")
    return
      #"{"type":"object","properties":{\#(members)},"required":[\#(required ? names.joined(separator: ",") : "")]}"#
  }

  /// A schema of `count` parts, each of which names the next one twice.
  private static func chain(_ count: Int, _ part: (String) -> String) -> String {
    let parts = (0..<count).map { "\"p\($0)\":" + part(##"{"$ref":"#/$defs/p\##($0 + 1)"}"##) }
    return
      ##"{"$ref":"#/$defs/p0","$defs":{\##(parts.joined(separator: ",")),"p\##(count)":{"type":"null"}}}"##
  }

  private static let overLimits = [
    (properties(10_000, required: true), "rules"),
    (#"{"enum":[\#((0..<30_000).map(String.init).joined(separator: ","))]}"#, "rules"),
    (#"{"type":"string","minLength":1000000}"#, "65536 bytes"),
    (#"{"type":"string","minLength":1000001}"#, "#/minLength"),
    (#"{"type":"array","minItems":9000000000}"#, "#/minItems"),
    (
      #"{"type":"array","minItems":1000000,"items":{"type":"array","minItems":1000000,"items":{"type":"null"}}}"#,
      "65536 bytes"
    ),
    (
      chain(60) { #"{"type":"object","properties":{"a":\#($0),"b":\#($0)},"required":["a","b"]}"# },
      "65536 bytes"
    ),
  ]

  @Test(arguments: overLimits.indices) func tooLarge(index: Int) throws {
    let (json, part) = Self.overLimits[index]
    #expect { try JSONSchema(text: json) } throws: { error in
      guard case .tooLarge? = error as? SchemaError else { return false }
      return "\(error)".contains(part)
    }
  }

  private static let withinLimits = [
    properties(3000, required: true), properties(3000, required: false),
    #"{"enum":[\#((0..<15_000).map { "\"value \($0)\"" }.joined(separator: ","))]}"#,
    chain(4000) { $0 },
    chain(40) { #"{"anyOf":[\#($0),\#($0)]}"# },
    chain(40) {
      #"{"anyOf":[{"type":"array","items":\#($0),"minItems":1},{"type":"array","items":\#($0)}]}"#
    },
    #"{"type":"string","maxLength":100000}"#, #"{"type":"array","items":{"type":"null"},"maxItems":1000000}"#,
    #"{"type":"array","minItems":5000,"items":{"type":"integer"}}"#,
    String(repeating: #"{"type":"array","items":"#, count: 60) + "{}" + String(repeating: "}", count: 60),
  ]

  /// What is within the limits works, in little time and memory.
  @Test(arguments: withinLimits.indices) func large(index: Int) throws {
    let schema = try JSONSchema(text: Self.withinLimits[index])
    let machine = try #require(GrammarMachine(schema.grammar))
    let vocabulary = Vocabulary(try TokenizerFixtures.small.get())
    var random = SplitMix64(seed: 1)
    var state = machine.start
    let time = processorTime {
      // A text byte by byte, as a model that knows nothing writes it.
      for _ in 0..<300 {
        _ = vocabulary.allowed(by: machine, in: state)
        let next = (UInt8.min...UInt8.max).compactMap { machine.state(after: $0, state) }
        guard let step = next.randomElement(using: &random) else { break }
        state = step
        if machine.byteCount > 8 << 20 { state = machine.forget(except: state) }
      }
    }
    // An emulator takes ten times as long, and more beside another one.
    #expect(time < .seconds(Tool.isEmulated ? 300 : 20), "\(time)")
    // Whatever was dropped, there is a way to the end.
    var rest: GrammarMachine.State? = state
    for byte in machine.completion(of: state) { rest = rest.flatMap { machine.state(after: byte, $0) } }
    #expect(rest.map(machine.isWhole) == true)
  }

  /// A long string has as few states as a short one.
  @Test func longStrings() throws {
    let machine = try #require(
      GrammarMachine(try JSONSchema(text: #"{"type":"string","minLength":20000,"maxLength":100000}"#).grammar)
    )
    var state: GrammarMachine.State? = machine.start
    for byte in [UInt8(ascii: "\"")] + [UInt8](repeating: UInt8(ascii: "a"), count: 100_000) {
      state = state.flatMap { machine.state(after: byte, $0) }
    }
    #expect(machine.byteCount < 64 << 10)
    let end = try #require(state)
    #expect(machine.state(after: UInt8(ascii: "a"), end) == nil)
    #expect(
      machine.state(after: UInt8(ascii: "\""), end) != nil
        && machine.completion(of: end) == [UInt8(ascii: "\"")])
  }

  /// A machine that forgets goes on as if nothing had happened.
  @Test func forgetting() throws {
    let json =
      #"{"type":"object","properties":{"a":{"type":"string","minLength":3,"maxLength":5}},"required":["a"]}"#
    let machine = try #require(GrammarMachine(try JSONSchema(text: json).grammar))
    for text in [#"{"a": "xyzé"}"#, #"{"a":"xy"}"#, #"{"a":"12345"}"#, #"{"a":"123456"}"#] {
      let other = try #require(GrammarMachine(try JSONSchema(text: json).grammar))
      var (plain, forgetful): (GrammarMachine.State?, GrammarMachine.State?) = (machine.start, other.start)
      for byte in text.utf8 {
        plain = plain.flatMap { machine.state(after: byte, $0) }
        forgetful = forgetful.flatMap { other.state(after: byte, other.forget(except: $0)) }
        #expect((plain == nil) == (forgetful == nil), "\(text)")
        if let plain, let forgetful {
          #expect(machine.completion(of: plain) == other.completion(of: forgetful), "\(text)")
        }
      }
    }
  }
}
