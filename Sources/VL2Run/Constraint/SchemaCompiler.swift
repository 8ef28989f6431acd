import VL2Base

/// Turns a schema into a grammar. Unknown keywords are refused, so that nobody relies on a rule that is not enforced.
///
/// The work is in proportion to the schema's text: a part that several `$ref`s name is compiled once.
struct SchemaCompiler {
  typealias Keywords = [String: JSONValue]

  private let file: String
  private var grammar = Grammar()
  /// The parts that a `$ref` may name.
  private let definitions: SchemaDefinitions
  /// The rule of each part that a `$ref` names, by the text of the `$ref`.
  private var references: [[UInt8]: Int] = [:]
  /// Parts that were named and are not compiled yet.
  private var waiting: [(text: String, schema: JSONValue, rule: Int)] = []
  private var separator = 0
  private var blank = 0
  /// The rule of any value, by the levels of lists and objects in it.
  private var anyValues: [Int: Int] = [:]

  /// The most rules, of which a property takes three at least: a text of a hundred kilobytes.
  private static let mostRules = 20_000
  /// How deep values nest of which the schema says nothing.
  private static let freeLevels = 16

  init(root: JSONValue, file: String) {
    self.file = file
    definitions = SchemaDefinitions(root)
    blank = grammar.add(.choice([grammar.add(.literal([])), grammar.add(.literal([UInt8(ascii: " ")]))]))
    separator = grammar.add(.sequence([grammar.add(.literal([UInt8(ascii: ",")])), blank]))
  }

  mutating func compile() throws -> Grammar {
    grammar.root = try reference([UInt8(ascii: "#")], at: "#")
    while let part = waiting.popLast() {
      let target = try rule(part.schema, at: part.text)
      grammar.rules[part.rule] = .choice([target])
    }
    try checkSize(at: "#")
    if ShortestTexts(grammar).length(grammar.root) > ShortestTexts.limit {
      throw SchemaError.tooLarge(
        file: file, path: "#", problem: "no text of up to \(ShortestTexts.limit) bytes fits")
    }
    return grammar
  }

  /// The grammar of any object.
  static func anyObject() -> Grammar {
    var compiler = SchemaCompiler(root: .bool(true), file: "")
    compiler.grammar.root = compiler.dictionary(of: compiler.anyValue(levels: freeLevels - 1))
    return compiler.grammar
  }

  private static let annotations: Set<String> = [
    "$comment", "$defs", "$id", "$schema", "default", "definitions", "deprecated", "description",
    "discriminator",
    "example", "examples", "format", "readOnly", "strict", "title", "writeOnly",
  ]

  private static let supported: Set<String> = [
    "$ref", "additionalProperties", "allOf", "anyOf", "const", "enum", "exclusiveMaximum", "exclusiveMinimum",
    "items", "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "nullable", "oneOf",
    "properties", "required", "type",
  ]

  private func malformed(_ path: String, _ problem: String) -> SchemaError {
    .malformed(file: file, path: path, problem: problem)
  }

  private func unsupported(_ path: String, _ what: String) -> SchemaError {
    .unsupported(file: file, path: path, what: what)
  }

  private func checkSize(at path: String) throws {
    if grammar.rules.count > Self.mostRules {
      throw SchemaError.tooLarge(
        file: file, path: path, problem: "more than \(Self.mostRules) rules; a property takes three at least")
    }
  }

  private static func keywords(_ schema: JSONValue) -> Keywords? {
    guard case .object(let members) = schema else { return nil }
    return Keywords(
      members.map { (String(decoding: $0.key, as: UTF8.self), $0.value) }, uniquingKeysWith: { $1 })
  }

  // MARK: a schema

  private mutating func rule(_ schema: JSONValue, at path: String) throws -> Int {
    try checkSize(at: path)
    if case .bool(let isAny) = schema {
      guard isAny else { throw unsupported(path, "false, which no value fits,") }
      return anyValue(levels: Self.freeLevels)
    }
    guard let keywords = Self.keywords(schema) else {
      throw malformed(path, "\(schema.kind) is no schema")
    }
    if let other = Self.words(of: keywords).subtracting(Self.supported).min() {
      throw unsupported("\(path)/\(Self.name(other))", other)
    }
    let main = try ruleWithoutNull(keywords, at: path)
    switch keywords["nullable"] {
    case nil, .bool(false): return main
    case .bool(true): return grammar.add(.choice([main, null()]))
    case let other?: throw malformed("\(path)/nullable", "\(other.kind) is neither true nor false")
    }
  }

  /// The keywords that restrict a value.
  private static func words(of keywords: Keywords) -> Set<String> {
    Set(keywords.keys).subtracting(annotations).subtracting(["nullable"])
  }

  /// Refuses keywords that mean nothing, or cannot be followed, beside the one that decides.
  private func refuse(
    _ keywords: Keywords, beside keyword: String, except known: Set<String>, at path: String
  ) throws {
    if let other = Self.words(of: keywords).subtracting(known).subtracting([keyword]).min() {
      throw SchemaError.misplaced(file: file, path: "\(path)/\(other)", keyword: other, beside: keyword)
    }
  }

  private mutating func ruleWithoutNull(_ keywords: Keywords, at path: String) throws -> Int {
    if let target = keywords["$ref"] {
      guard case .string(let text) = target else { throw malformed("\(path)/$ref", "not a string") }
      let isKnown = try isRepeated(keywords["type"], in: text, at: "\(path)/type")
      try refuse(keywords, beside: "$ref", except: isKnown ? ["type"] : [], at: path)
      return try reference(text, at: "\(path)/$ref")
    }
    for key in ["anyOf", "oneOf", "allOf"] {
      guard let list = keywords[key] else { continue }
      try refuse(keywords, beside: key, except: ["type"], at: path)
      guard case .array(let all) = list, !all.isEmpty else {
        throw malformed("\(path)/\(key)", "not a list of schemas")
      }
      if key == "allOf", all.count > 1 { throw unsupported("\(path)/\(key)", "allOf of several schemas") }
      let types = try types(keywords["type"], at: "\(path)/type")
      var schemas: [JSONValue] = []
      var parts: [Int] = []
      for (index, schema) in all.enumerated() {
        guard let schema = types.isEmpty ? schema : schema.narrowed(to: types) else { continue }
        schemas.append(schema)
        parts.append(try rule(schema, at: "\(path)/\(key)/\(index)"))
      }
      guard !parts.isEmpty else { throw malformed("\(path)/\(key)", "none of its schemas has the type") }
      var alternatives = SchemaAlternatives(definitions)
      if key == "oneOf", !alternatives.excludeEachOther(schemas) {
        throw unsupported(
          "\(path)/\(key)", "oneOf whose schemas differ neither in type nor in the value of a required member"
        )
      }
      return grammar.add(.choice(parts))
    }
    let types = try types(keywords["type"], at: "\(path)/type")
    if let values = try values(keywords, at: path) {
      let keyword = keywords["enum"] == nil ? "const" : "enum"
      try refuse(keywords, beside: keyword, except: ["const", "type"], at: path)
      let fitting = values.filter { value in types.isEmpty || types.contains { $0.holds(value) } }
      guard !fitting.isEmpty else { throw malformed(path, "none of the values has the type") }
      return grammar.add(.choice(fitting.map { grammar.add(.literal($0.json)) }))
    }
    guard !types.isEmpty else {
      // Says nothing at all, or something of a type that it does not name.
      if Self.words(of: keywords).isEmpty { return anyValue(levels: Self.freeLevels) }
      throw unsupported(path, "a schema without type, enum, const, anyOf, oneOf or $ref")
    }
    let known = types.reduce(into: Set<String>()) { $0.formUnion($1.keywords) }
    try refuse(keywords, beside: "type", except: known, at: path)
    var parts: [Int] = []
    for type in types { parts.append(try rule(type, keywords, at: path)) }
    return parts.count == 1 ? parts[0] : grammar.add(.choice(parts))
  }

  private mutating func rule(_ type: SchemaType, _ keywords: Keywords, at path: String) throws -> Int {
    let bounds = SchemaBounds(keywords, file: file, path: path)
    switch type {
    case .null: return null()
    case .boolean: return boolean()
    case .string:
      let (least, most) = try bounds.counts("minLength", "maxLength")
      return grammar.add(.string(least: least, most: most))
    case .integer: return grammar.add(.number(try bounds.integers()))
    case .number: return grammar.add(.number(try bounds.numbers()))
    case .array:
      let (least, most) = try bounds.counts("minItems", "maxItems")
      let element =
        try keywords["items"].map { try rule($0, at: "\(path)/items") }
        ?? anyValue(levels: Self.freeLevels - 1)
      return enclosed(.elements(of: element, least: least, most: most, separator: separator), in: "[", "]")
    case .object: return try object(keywords, at: path)
    }
  }

  private mutating func object(_ keywords: Keywords, at path: String) throws -> Int {
    var required: Set<[UInt8]> = []
    guard case .array(let names) = keywords["required"] ?? .array([]) else {
      throw malformed("\(path)/required", "not a list of names")
    }
    for name in names {
      guard case .string(let text) = name else { throw malformed("\(path)/required", "not a list of names") }
      required.insert(text)
    }
    let others = keywords["additionalProperties"]
    switch others {
    case nil, .bool, .object: break
    case let other?: throw malformed("\(path)/additionalProperties", "\(other.kind) is no schema")
    }
    if keywords["properties"] == nil, required.isEmpty {
      switch others {
      case nil, .bool(true): return dictionary(of: anyValue(levels: Self.freeLevels - 1))
      case .bool: return enclosed(.members([], separator: separator), in: "{", "}")
      case let schema?: return dictionary(of: try rule(schema, at: "\(path)/additionalProperties"))
      }
    }
    guard case .object(let properties) = keywords["properties"] ?? .object([]) else {
      throw malformed("\(path)/properties", "not an object")
    }
    // A member with one value only is always written: pydantic leaves such tags out of `required` where they have a default.
    var members: [Grammar.Member] = []
    for property in properties {
      let name = Self.name(String(decoding: property.key, as: UTF8.self))
      let value = try rule(property.value, at: "\(path)/properties/\(name)")
      let key = grammar.add(.literal(JSONValue.string(property.key).json + [UInt8(ascii: ":")]))
      members.append(
        Grammar.Member(
          rule: grammar.add(.sequence([key, blank, value])),
          isRequired: required.remove(property.key) != nil || property.value.member("const") != nil))
    }
    if let missing = required.map({ Self.name(String(decoding: $0, as: UTF8.self)) }).min() {
      throw malformed("\(path)/required", "\"\(missing)\" is not among the properties")
    }
    return enclosed(.members(members, separator: separator), in: "{", "}")
  }

  /// A name in a path, cut where it is long: paths of nested parts hold it many times.
  private static func name(_ text: String) -> String {
    let longest = 60
    return UntrustedText.line(
      text.unicodeScalars.count > longest
        ? String(String.UnicodeScalarView(text.unicodeScalars.prefix(longest))) + "…" : text)
  }

  // MARK: rules

  private mutating func null() -> Int { grammar.add(.literal(Array("null".utf8))) }

  private mutating func boolean() -> Int {
    let words = ["true", "false"].map { grammar.add(.literal(Array($0.utf8))) }
    return grammar.add(.choice(words))
  }

  /// Any value, with so many levels of lists and objects.
  private mutating func anyValue(levels: Int) -> Int {
    if let known = anyValues[levels] { return known }
    var parts = [
      null(), boolean(), grammar.add(.number(NumberRange(decimals: SchemaBounds.decimals))),
      grammar.add(.string(least: 0, most: nil)),
    ]
    if levels > 0 {
      let inner = anyValue(levels: levels - 1)
      parts.append(enclosed(.elements(of: inner, least: 0, most: nil, separator: separator), in: "[", "]"))
      parts.append(dictionary(of: inner))
    }
    let rule = grammar.add(.choice(parts))
    anyValues[levels] = rule
    return rule
  }

  /// An object with any names.
  private mutating func dictionary(of value: Int) -> Int {
    let parts = [
      grammar.add(.string(least: 0, most: nil)), grammar.add(.literal([UInt8(ascii: ":")])), blank, value,
    ]
    let member = grammar.add(.sequence(parts))
    return enclosed(.elements(of: member, least: 0, most: nil, separator: separator), in: "{", "}")
  }

  private mutating func enclosed(_ rule: Grammar.Rule, in open: String, _ close: String) -> Int {
    let parts = [
      grammar.add(.literal(Array(open.utf8))), grammar.add(rule), grammar.add(.literal(Array(close.utf8))),
    ]
    return grammar.add(.sequence(parts))
  }

  // MARK: parts that are named

  /// The rule of the part that a `$ref` names: `#`, `#/$defs/NAME` or `#/definitions/NAME`.
  ///
  /// It is filled in later: the part may refer to itself, and a chain of parts may be long.
  private mutating func reference(_ text: [UInt8], at path: String) throws -> Int {
    if let known = references[text] { return known }
    let name = Self.name(String(decoding: text, as: UTF8.self))
    guard let place = SchemaDefinitions.Place(text) else { throw unsupported(path, "\"\(name)\"") }
    guard let schema = definitions.schema(at: place) else { throw malformed(path, "there is no \(name)") }
    let index = grammar.add(.choice([]))
    references[text] = index
    waiting.append((name, schema, index))
    return index
  }

  /// Whether a `type` beside a `$ref` says what the part itself says.
  private func isRepeated(_ type: JSONValue?, in reference: [UInt8], at path: String) throws -> Bool {
    let types = try types(type, at: path)
    let part = SchemaDefinitions.Place(reference).flatMap(definitions.schema(at:))
    return part?.member("type").flatMap(SchemaType.list)?.allSatisfy { $0.common(with: types) == $0 } ?? false
  }

  private func types(_ value: JSONValue?, at path: String) throws -> [SchemaType] {
    guard let value else { return [] }
    let names: [JSONValue]
    if case .array(let list) = value { names = list } else { names = [value] }
    if names.isEmpty { throw malformed(path, "an empty list names no type") }
    return try names.map { name in
      guard case .string(let text) = name,
        let type = SchemaType(rawValue: String(decoding: text, as: UTF8.self))
      else { throw malformed(path, "\(name.kind) is no type") }
      return type
    }
  }

  /// The values of `enum` and `const`.
  private func values(_ keywords: Keywords, at path: String) throws -> [JSONValue]? {
    guard let list = keywords["enum"] else { return keywords["const"].map { [$0] } }
    guard case .array(let values) = list, !values.isEmpty else {
      throw malformed("\(path)/enum", "not a list of values")
    }
    guard let value = keywords["const"] else { return values }
    guard values.contains(where: { $0.isEquivalent(to: value) }) else {
      throw malformed("\(path)/const", "not among the values of enum")
    }
    return [value]
  }
}
