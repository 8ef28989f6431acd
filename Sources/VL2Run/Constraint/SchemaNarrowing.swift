import VL2Base

extension JSONValue {
  /// As a schema: the same, which allows only values of these types; nil where it allows none of them. A `type` that stands
  /// beside `anyOf` means that for each of its schemas.
  func narrowed(to types: [SchemaType]) -> JSONValue? {
    func list(_ types: [SchemaType]) -> JSONValue { .array(types.map { .text($0.rawValue) }) }
    if self == .bool(true) { return .object([]).narrowed(to: types) }
    guard case .object(var members) = self else { return self }
    guard let place = members.firstIndex(where: { $0.key.elementsEqual("type".utf8) }) else {
      var schema = self
      schema.append("type", list(types))
      return schema
    }
    // What is no list of types is refused where it is read.
    guard let own = SchemaType.list(members[place].value) else { return self }
    let both = own.compactMap { $0.common(with: types) }
    members[place].value = list(both)
    return both.isEmpty ? nil : .object(members)
  }
}

extension SchemaType {
  /// The value of `type`; nil where it names anything else.
  static func list(_ value: JSONValue) -> [SchemaType]? {
    let names: [JSONValue]
    if case .array(let list) = value { names = list } else { names = [value] }
    let types = names.compactMap { name -> SchemaType? in
      guard case .string(let text) = name else { return nil }
      return SchemaType(rawValue: String(decoding: text, as: UTF8.self))
    }
    return types.count == names.count && !types.isEmpty ? types : nil
  }

  /// What is of this type and of one of `types`: integers are numbers.
  func common(with types: [SchemaType]) -> SchemaType? {
    if types.contains(self) || (self == .integer && types.contains(.number)) { return self }
    return self == .number && types.contains(.integer) ? .integer : nil
  }
}
