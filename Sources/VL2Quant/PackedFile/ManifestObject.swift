import VL2Base

/// An object of the manifest, with its place in the manifest. The place becomes text only for an error.
struct ManifestObject {
  private let members: [JSONValue.Member]
  private let place: () -> String

  init(_ value: JSONValue, place: @escaping () -> String) throws {
    guard case .object(let members) = value else {
      throw ManifestFailure(problem: "has \(value.kind) at \(place()), where an object belongs")
    }
    self.members = members
    self.place = place
  }

  private func find(_ key: String) -> JSONValue? {
    members.first { $0.key.elementsEqual(key.utf8) }?.value
  }

  func has(_ key: String) -> Bool { find(key) != nil }

  func value<T>(_ key: String, _ expected: String, _ convert: (JSONValue) throws -> T?) throws -> T {
    guard let value = find(key) else { throw ManifestFailure(problem: "has no \(place()).\(key)") }
    guard let result = try convert(value) else {
      throw ManifestFailure(problem: "has \(value.kind) at \(place()).\(key), where \(expected) belongs")
    }
    return result
  }

  func integer(_ key: String) throws -> Int { try value(key, "a whole number", Self.integer) }
  func string(_ key: String) throws -> String { try value(key, "a string", Self.string) }
  func strings(_ key: String) throws -> [String] {
    try value(key, "a list of strings") { Self.list($0, Self.string) }
  }
  func integers(_ key: String) throws -> [Int] {
    try value(key, "a list of whole numbers") { Self.list($0, Self.integer) }
  }

  func bool(_ key: String) throws -> Bool {
    try value(key, "true or false") { if case .bool(let bool) = $0 { bool } else { nil } }
  }

  /// One of a fixed set of names.
  func name<T: RawRepresentable & CaseIterable>(_ key: String) throws -> T where T.RawValue == String {
    try value(key, "one of \(T.allCases.map(\.rawValue).joined(separator: ", "))") {
      Self.string($0).flatMap { T(rawValue: $0) }
    }
  }

  func object(_ key: String) throws -> ManifestObject {
    try value(key, "an object") { [place] in try ManifestObject($0) { "\(place()).\(key)" } }
  }

  func objects(_ key: String) throws -> [ManifestObject] {
    try value(key, "a list of objects") { [place] value in
      guard case .array(let elements) = value else { return nil }
      return try elements.enumerated().map { index, element in
        try ManifestObject(element) { "\(place()).\(key)[\(index)]" }
      }
    }
  }

  /// All members; their values must be strings. Two names that Swift treats as equal are refused.
  func texts() throws -> [String: String] {
    var texts: [String: String] = [:]
    for member in members {
      let name = String(decoding: member.key, as: UTF8.self)
      guard let text = Self.string(member.value), texts.updateValue(text, forKey: name) == nil else {
        throw ManifestFailure(
          problem:
            "has \(member.value.kind) at \(place()).\(UntrustedText.quoted(member.key)), where one string belongs"
        )
      }
    }
    return texts
  }

  private static func integer(_ value: JSONValue) -> Int? {
    if case .integer(let number) = value { number } else { nil }
  }

  private static func string(_ value: JSONValue) -> String? {
    if case .string(let bytes) = value { String(decoding: bytes, as: UTF8.self) } else { nil }
  }

  private static func list<T>(_ value: JSONValue, _ convert: (JSONValue) -> T?) -> [T]? {
    guard case .array(let elements) = value else { return nil }
    let converted = elements.compactMap(convert)
    return converted.count == elements.count ? converted : nil
  }
}
