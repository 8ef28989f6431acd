import VL2Base

/// Finds out whether no value fits two of several schemas, as `oneOf` demands. Says no where it is not plain to see.
struct SchemaAlternatives {
  /// A kind of values that a schema allows.
  fileprivate enum Kind: Hashable {
    case value(text: [UInt8])
    /// Members that have to be there, each with the texts of its values.
    case object([[UInt8]: [[UInt8]]])
    /// Any value of the type.
    case type
  }

  private typealias Kinds = [(type: SchemaType, kind: Kind)]

  private let definitions: SchemaDefinitions
  /// Parts to look at before giving up: parts that name others may lead to very many.
  private var left = 1000

  init(_ definitions: SchemaDefinitions) { self.definitions = definitions }

  mutating func excludeEachOther(_ schemas: [JSONValue]) -> Bool {
    var sorted: [SchemaType: [(schema: Int, kind: Kind)]] = [:]
    for (index, schema) in schemas.enumerated() {
      guard let kinds = kinds(of: schema, depth: 0) else { return false }
      for (type, kind) in kinds { sorted[type, default: []].append((index, kind)) }
    }
    return sorted.allSatisfy { type, kinds in
      if Set(kinds.map(\.schema)).count == 1 { return true }
      if type == .object {
        guard case .object(let members) = kinds[0].kind else { return false }
        return members.keys.contains { name in
          areDifferent(kinds.map { ($0.schema, $0.kind.texts(of: name)) })
        }
      }
      return areDifferent(kinds.map { ($0.schema, $0.kind.texts(of: nil)) })
    }
  }

  /// Whether no text comes from two schemas, and each schema has some.
  private func areDifferent(_ texts: [(schema: Int, texts: [[UInt8]])]) -> Bool {
    var owners: [[UInt8]: Int] = [:]
    for (schema, texts) in texts {
      if texts.isEmpty { return false }
      for text in texts where owners.updateValue(schema, forKey: text) ?? schema != schema { return false }
    }
    return true
  }

  /// nil where it is not known.
  private mutating func kinds(of schema: JSONValue, depth: Int) -> Kinds? {
    left -= 1
    guard left > 0, depth < 32, case .object = schema else { return nil }
    var kinds: Kinds = []
    if case .bool(true) = schema.member("nullable") { kinds.append((.null, .type)) }
    if case .string(let text) = schema.member("$ref") {
      guard let target = SchemaDefinitions.Place(text).flatMap(definitions.schema(at:)),
        let more = self.kinds(of: target, depth: depth + 1)
      else { return nil }
      return kinds + more
    }
    for key in ["anyOf", "oneOf", "allOf"] {
      guard case .array(let schemas) = schema.member(key) else { continue }
      for schema in schemas {
        guard let more = self.kinds(of: schema, depth: depth + 1) else { return nil }
        kinds += more
      }
      return kinds
    }
    if let values = values(of: schema) {
      return kinds + values.map { (SchemaType.of($0), .value(text: $0.canonicalText)) }
    }
    let names: [JSONValue]
    switch schema.member("type") {
    case .array(let list): names = list
    case let name?: names = [name]
    case nil: return nil
    }
    for case .string(let name) in names {
      switch SchemaType(rawValue: String(decoding: name, as: UTF8.self)) {
      case .object: kinds.append((.object, .object(tags(of: schema))))
      case .integer: kinds.append((.number, .type))
      case let type?: kinds.append((type, .type))
      case nil: return nil
      }
    }
    return kinds
  }

  private func values(of schema: JSONValue) -> [JSONValue]? {
    if let value = schema.member("const") { return [value] }
    guard case .array(let values) = schema.member("enum") else { return nil }
    return values
  }

  /// The members of an object that are always written and have one of a few values.
  private func tags(of schema: JSONValue) -> [[UInt8]: [[UInt8]]] {
    guard case .object(let properties) = schema.member("properties") else { return [:] }
    var names = Set(properties.filter { $0.value.member("const") != nil }.map(\.key))
    if case .array(let required) = schema.member("required") {
      for case .string(let name) in required { names.insert(name) }
    }
    var tags: [[UInt8]: [[UInt8]]] = [:]
    for property in properties where names.contains(property.key) {
      if case .bool(true) = property.value.member("nullable") { continue }
      tags[property.key] = values(of: property.value)?.map(\.canonicalText)
    }
    return tags
  }
}

extension SchemaAlternatives.Kind {
  /// The texts that it allows, of the member `name` or of the value itself; empty for others.
  fileprivate func texts(of name: [UInt8]?) -> [[UInt8]] {
    switch self {
    case .value(let text): name == nil ? [text] : []
    case .object(let members): name.flatMap { members[$0] } ?? []
    case .type: []
    }
  }
}

extension JSONValue {
  /// A text that equal numbers share.
  fileprivate var canonicalText: [UInt8] {
    switch self {
    case .real(let number): Int(exactly: number).map { JSONValue.integer($0).json } ?? json
    // Whole numbers that no Double tells apart share it too: where it is not plain to see, they may be equal.
    case .wideInteger: number.map { JSONValue.real($0).json } ?? json
    default: json
    }
  }
}
