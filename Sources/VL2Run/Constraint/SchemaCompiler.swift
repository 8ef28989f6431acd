import VL2Base

/// Turns a schema into a grammar. Unknown keywords are refused, so that nobody relies on a rule that is not enforced.
struct SchemaCompiler {
  private let root: JSONValue
  private let file: String
  private var grammar = Grammar()
  /// The rule of each part that a `$ref` names, by the text of the `$ref`.
  private var references: [String: Int] = [:]
  private var separator = 0
  private var blank = 0

  init(root: JSONValue, file: String) {
    self.root = root
    self.file = file
  }

  mutating func compile() throws -> Grammar {
    blank = grammar.add(.choice([grammar.add(.literal([])), grammar.add(.literal([UInt8(ascii: " ")]))]))
    separator = grammar.add(.sequence([grammar.add(.literal([UInt8(ascii: ",")])), blank]))
    grammar.root = try reference("#", at: "#")
    return grammar
  }

  private static let annotations: Set<String> = [
    "$comment", "$defs", "$id", "$schema", "default", "definitions", "deprecated", "description", "examples",
    "format", "readOnly", "title", "writeOnly",
  ]

  private static let supported: Set<String> = [
    "$ref", "additionalProperties", "anyOf", "const", "enum", "exclusiveMaximum", "exclusiveMinimum", "items",
    "maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "properties", "required", "type",
  ]

  private typealias Keywords = [String: JSONValue]

  private func malformed(_ path: String, _ problem: String) -> SchemaError {
    .malformed(file: file, path: path, problem: problem)
  }

  private func unsupported(_ path: String, _ what: String) -> SchemaError {
    .unsupported(file: file, path: path, what: what)
  }

  private mutating func rule(_ schema: JSONValue, at path: String) throws -> Int {
    guard case .object(let members) = schema else {
      throw unsupported(path, "\(schema.kind) in the place of a schema with a type")
    }
    let keywords = Keywords(
      members.map { (String(decoding: $0.key, as: UTF8.self), $0.value) }, uniquingKeysWith: { $1 })
    try refuse(beside: Self.supported)
    func refuse(beside known: Set<String>) throws {
      let others = Set(keywords.keys).subtracting(known).subtracting(Self.annotations)
      if let other = others.min() { throw unsupported("\(path)/\(other)", other) }
    }
    if let target = keywords["$ref"] {
      try refuse(beside: ["$ref"])
      guard case .string(let text) = target else { throw malformed("\(path)/$ref", "not a string") }
      return try reference(String(decoding: text, as: UTF8.self), at: "\(path)/$ref")
    }
    if let list = keywords["anyOf"] {
      try refuse(beside: ["anyOf"])
      guard case .array(let schemas) = list, !schemas.isEmpty else {
        throw malformed("\(path)/anyOf", "not a list of schemas")
      }
      var parts: [Int] = []
      for (index, schema) in schemas.enumerated() {
        parts.append(try rule(schema, at: "\(path)/anyOf/\(index)"))
      }
      return grammar.add(.choice(parts))
    }
    let types = try types(keywords["type"], at: "\(path)/type")
    if let values = try values(keywords, at: path) {
      try refuse(beside: ["enum", "const", "type"])
      let fitting = values.filter { value in types.isEmpty || types.contains { $0.holds(value) } }
      guard !fitting.isEmpty else { throw malformed(path, "none of the values has the type") }
      return grammar.add(.choice(fitting.map { grammar.add(.literal($0.jsonText)) }))
    }
    guard !types.isEmpty else { throw unsupported(path, "a schema without type, enum, const, anyOf or $ref") }
    try refuse(beside: types.reduce(into: ["type"]) { $0.formUnion($1.keywords) })
    var parts: [Int] = []
    for type in types { parts.append(try rule(type, keywords, at: path)) }
    return parts.count == 1 ? parts[0] : grammar.add(.choice(parts))
  }

  private mutating func rule(_ type: SchemaType, _ keywords: Keywords, at path: String) throws -> Int {
    switch type {
    case .null: return grammar.add(.literal(Array("null".utf8)))
    case .boolean:
      let words = ["true", "false"].map { grammar.add(.literal(Array($0.utf8))) }
      return grammar.add(.choice(words))
    case .string:
      let (least, most) = try counts("minLength", "maxLength", keywords, at: path)
      return grammar.add(.string(least: least, most: most))
    case .integer: return grammar.add(.number(try range(decimals: 0, keywords, at: path)))
    case .number: return grammar.add(.number(try range(decimals: 6, keywords, at: path)))
    case .array:
      guard let items = keywords["items"] else { throw unsupported(path, "an array without items") }
      let (least, most) = try counts("minItems", "maxItems", keywords, at: path)
      let element = try rule(items, at: "\(path)/items")
      return enclosed(.elements(of: element, least: least, most: most, separator: separator), in: "[", "]")
    case .object: return try object(keywords, at: path)
    }
  }

  private mutating func object(_ keywords: Keywords, at path: String) throws -> Int {
    guard case .object(let properties) = keywords["properties"] ?? .object([]) else {
      throw malformed("\(path)/properties", "not an object")
    }
    switch keywords["additionalProperties"] {
    case nil, .bool: break
    default: throw unsupported("\(path)/additionalProperties", "a schema for properties without names")
    }
    var required: Set<[UInt8]> = []
    guard case .array(let names) = keywords["required"] ?? .array([]) else {
      throw malformed("\(path)/required", "not a list of names")
    }
    for name in names {
      guard case .string(let text) = name else { throw malformed("\(path)/required", "not a list of names") }
      required.insert(text)
    }
    var members: [Grammar.Member] = []
    for property in properties {
      let name = String(decoding: property.key, as: UTF8.self)
      let value = try rule(property.value, at: "\(path)/properties/\(name)")
      let key = grammar.add(.literal(JSONValue.string(property.key).jsonText + [UInt8(ascii: ":")]))
      members.append(
        Grammar.Member(
          rule: grammar.add(.sequence([key, blank, value])),
          isRequired: required.remove(property.key) != nil))
    }
    if let missing = required.map({ String(decoding: $0, as: UTF8.self) }).min() {
      throw malformed("\(path)/required", "\"\(missing)\" is not among the properties")
    }
    return enclosed(.members(members, separator: separator), in: "{", "}")
  }

  private mutating func enclosed(_ rule: Grammar.Rule, in open: String, _ close: String) -> Int {
    let parts = [
      grammar.add(.literal(Array(open.utf8))), grammar.add(rule), grammar.add(.literal(Array(close.utf8))),
    ]
    return grammar.add(.sequence(parts))
  }

  /// The rule of the part that a `$ref` names: `#`, `#/$defs/NAME` or `#/definitions/NAME`.
  private mutating func reference(_ text: String, at path: String) throws -> Int {
    if let known = references[text] { return known }
    let schema: JSONValue
    if text == "#" {
      schema = root
    } else {
      let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 3, parts[0] == "#", parts[1] == "$defs" || parts[1] == "definitions" else {
        throw unsupported(path, "\"\(text)\"")
      }
      // Source: RFC 6901, section 4.
      let name = parts[2].split(separator: "~1", omittingEmptySubsequences: false).joined(separator: "/")
        .split(separator: "~0", omittingEmptySubsequences: false).joined(separator: "~")
      guard let found = root.member(parts[1])?.member(name) else {
        throw malformed(path, "there is no \(text)")
      }
      schema = found
    }
    // The rule's index is reserved first, since the part may refer to itself.
    let index = grammar.add(.choice([]))
    references[text] = index
    let target = try rule(schema, at: text)
    grammar.rules[index] = .choice([target])
    return index
  }

  private func types(_ value: JSONValue?, at path: String) throws -> [SchemaType] {
    guard let value else { return [] }
    let names: [JSONValue]
    if case .array(let list) = value { names = list } else { names = [value] }
    return try names.map { name in
      guard case .string(let text) = name,
        let type = SchemaType(rawValue: String(decoding: text, as: UTF8.self))
      else { throw malformed(path, "\(name.kind) is no type") }
      return type
    }
  }

  /// The values of `enum` and `const`.
  private func values(_ keywords: Keywords, at path: String) throws -> [JSONValue]? {
    if let value = keywords["const"] {
      if keywords["enum"] != nil { throw unsupported(path, "const beside enum") }
      return [value]
    }
    guard let list = keywords["enum"] else { return nil }
    guard case .array(let values) = list, !values.isEmpty else {
      throw malformed("\(path)/enum", "not a list of values")
    }
    return values
  }

  private func counts(
    _ least: String, _ most: String, _ keywords: Keywords, at path: String
  ) throws -> (Int, Int?) {
    func count(_ key: String) throws -> Int? {
      guard let value = keywords[key] else { return nil }
      guard case .integer(let number) = value, (0...1_000_000).contains(number) else {
        throw malformed("\(path)/\(key)", "\(value.kind) is no whole number up to a million")
      }
      return number
    }
    let (low, high) = (try count(least) ?? 0, try count(most))
    if let high, high < low { throw malformed("\(path)/\(most)", "\(high) is below \(least)") }
    return (low, high)
  }

  private func range(decimals: Int, _ keywords: Keywords, at path: String) throws -> NumberRange {
    let scale = (0..<decimals).reduce(1.0) { scale, _ in scale * 10 }
    /// A bound in units of the last decimal: the nearest decimal that the bound allows. An excluded bound
    /// does not allow itself.
    func bound(_ key: String, isLower: Bool, excluded: Bool) throws -> Int? {
      let value: Double
      switch keywords[key] {
      case nil: return nil
      case .integer(let number): value = Double(number)
      case .real(let number): value = number
      case let other?: throw malformed("\(path)/\(key)", "\(other.kind) is no number")
      }
      let limit = Double(NumberRange.limit)
      let near = (min(max(value * scale, -limit), limit)).rounded()
      // The decimal nearest to the bound, or its neighbour where that one lies outside.
      let inside = [near - 1, near, near + 1].filter { candidate in
        let written = candidate / scale
        return isLower
          ? (excluded ? written > value : written >= value) : (excluded ? written < value : written <= value)
      }
      guard let found = isLower ? inside.min() : inside.max() else {
        throw malformed("\(path)/\(key)", "no number of up to 15 digits lies within")
      }
      return Int(found)
    }
    let least = [
      try bound("minimum", isLower: true, excluded: false),
      try bound("exclusiveMinimum", isLower: true, excluded: true),
    ].compactMap { $0 }.max()
    let most = [
      try bound("maximum", isLower: false, excluded: false),
      try bound("exclusiveMaximum", isLower: false, excluded: true),
    ].compactMap { $0 }.min()
    let limit = NumberRange.limit
    let (low, high) = (max(least ?? -limit, -limit), min(most ?? limit, limit))
    guard low <= high else { throw malformed(path, "no number lies between the bounds") }
    return NumberRange(decimals: decimals, least: low, most: high)
  }
}

/// The types of JSON Schema.
private enum SchemaType: String {
  case null, boolean, string, integer, number, array, object

  /// Keywords that restrict a value of the type.
  var keywords: Set<String> {
    switch self {
    case .null, .boolean: []
    case .string: ["minLength", "maxLength"]
    case .integer, .number: ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]
    case .array: ["items", "minItems", "maxItems"]
    case .object: ["properties", "required", "additionalProperties"]
    }
  }

  func holds(_ value: JSONValue) -> Bool {
    switch (self, value) {
    case (.null, .null), (.boolean, .bool), (.string, .string), (.integer, .integer), (.number, .integer),
      (.number, .real), (.array, .array), (.object, .object):
      true
    case (.integer, .real(let number)): number.rounded() == number
    default: false
    }
  }
}

extension JSONValue {
  /// The member of an object; nil where there is none.
  fileprivate func member(_ name: String) -> JSONValue? {
    guard case .object(let members) = self else { return nil }
    return members.first { $0.key.elementsEqual(name.utf8) }?.value
  }

  /// The shortest JSON text of the value.
  fileprivate var jsonText: [UInt8] {
    switch self {
    case .null: return Array("null".utf8)
    case .bool(let value): return Array("\(value)".utf8)
    case .integer(let value): return Array("\(value)".utf8)
    case .real(let value): return Array("\(value)".utf8)
    case .string(let text):
      var json = [UInt8(ascii: "\"")]
      for byte in text {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): json += [UInt8(ascii: "\\"), byte]
        case 0..<0x20:
          let digits = Array("0123456789abcdef".utf8)
          json += Array("\\u00".utf8) + [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        default: json.append(byte)
        }
      }
      return json + [UInt8(ascii: "\"")]
    case .array(let elements):
      return [UInt8(ascii: "[")] + elements.map(\.jsonText).joined(separator: [UInt8(ascii: ",")])
        + [UInt8(ascii: "]")]
    case .object(let members):
      let texts = members.map { JSONValue.string($0.key).jsonText + [UInt8(ascii: ":")] + $0.value.jsonText }
      return [UInt8(ascii: "{")] + texts.joined(separator: [UInt8(ascii: ",")]) + [UInt8(ascii: "}")]
    }
  }
}
