import VL2Base

/// What the specification of JSON Schema says about a value, for what docs/SCHEMA.md says that a schema may hold.
struct SchemaCheck {
  private let root: JSONValue

  init(_ schema: JSONValue) { root = schema }

  func accepts(_ value: JSONValue) -> Bool { accepts(value, root) }

  private func accepts(_ value: JSONValue, _ schema: JSONValue) -> Bool {
    if case .bool(let isAny) = schema { return isAny }
    guard case .object(let list) = schema else { return false }
    let keywords = Dictionary(
      list.map { (String(decoding: $0.key, as: UTF8.self), $0.value) }, uniquingKeysWith: { $1 })
    if keywords["nullable"] == .bool(true), value == .null { return true }
    if let reference = keywords["$ref"] { return accepts(value, target(reference)) }
    for (key, isRight) in [
      ("anyOf", { $0 > 0 }), ("oneOf", { $0 == 1 }), ("allOf", { $0 == 1 }),
    ] as [(String, (Int) -> Bool)] {
      guard case .array(let schemas)? = keywords[key] else { continue }
      return isRight(schemas.count { accepts(value, $0) })
    }
    if let only = keywords["const"] { return only.isEquivalent(to: value) }
    if case .array(let values)? = keywords["enum"] { return values.contains { $0.isEquivalent(to: value) } }
    let types: [JSONValue]
    switch keywords["type"] {
    case .array(let list): types = list
    case let one?: types = [one]
    case nil: return true
    }
    return types.contains { type in
      guard case .string(let name) = type else { return false }
      return accepts(value, type: String(decoding: name, as: UTF8.self), keywords)
    }
  }

  private func target(_ reference: JSONValue) -> JSONValue {
    guard case .string(let text) = reference else { return .null }
    return String(decoding: text, as: UTF8.self).split(separator: "/").dropFirst().reduce(root) {
      part, name in
      guard case .object(let members) = part else { return .null }
      return members.first { $0.key.elementsEqual(name.utf8) }?.value ?? .null
    }
  }

  private func accepts(_ value: JSONValue, type: String, _ keywords: [String: JSONValue]) -> Bool {
    func bound(_ key: String) -> Double? { keywords[key].flatMap(number) }
    /// Integers are compared as such: not all of 64 bits are a Double.
    func holds(_ key: String, _ isRight: (Double, Double) -> Bool, _ isRightInteger: (Int, Int) -> Bool)
      -> Bool
    {
      if case .integer(let mine) = value, case .integer(let bound)? = keywords[key] {
        return isRightInteger(mine, bound)
      }
      guard let mine = number(value), let bound = bound(key) else { return true }
      return isRight(mine, bound)
    }
    switch (type, value) {
    case ("null", .null), ("boolean", .bool): return true
    case ("integer", .integer), ("number", .integer), ("number", .real):
      return holds("minimum", >=, >=) && holds("maximum", <=, <=) && holds("exclusiveMinimum", >, >)
        && holds("exclusiveMaximum", <, <)
    case ("string", .string(let text)):
      let count = Double(String(decoding: text, as: UTF8.self).unicodeScalars.count)
      return count >= bound("minLength") ?? 0 && count <= bound("maxLength") ?? .infinity
    case ("array", .array(let elements)):
      let count = Double(elements.count)
      return count >= bound("minItems") ?? 0 && count <= bound("maxItems") ?? .infinity
        && elements.allSatisfy { accepts($0, keywords["items"] ?? .bool(true)) }
    case ("object", .object(let members)):
      guard case .object(let properties) = keywords["properties"] ?? .object([]),
        case .array(let required) = keywords["required"] ?? .array([])
      else { return false }
      return required.allSatisfy { name in members.contains { .string($0.key) == name } }
        && members.allSatisfy { member in
          let schema = properties.first { $0.key == member.key }?.value
          return accepts(member.value, schema ?? keywords["additionalProperties"] ?? .bool(true))
        }
    default: return false
    }
  }

  private func number(_ value: JSONValue) -> Double? {
    switch value {
    case .integer(let number): Double(number)
    case .real(let number): number
    default: nil
    }
  }
}
