import VL2Base

/// The parts of a schema that a `$ref` may name.
struct SchemaDefinitions {
  /// A part: all of the schema, or one of its `$defs` or `definitions`.
  enum Place {
    case root
    case part(group: String, name: [UInt8])

    /// nil for a text that names anything else.
    init?(_ text: [UInt8]) {
      let parts = text.split(separator: UInt8(ascii: "/"), maxSplits: 2, omittingEmptySubsequences: false)
      if parts.count == 1, parts[0].elementsEqual("#".utf8) {
        self = .root
      } else if parts.count == 3, parts[0].elementsEqual("#".utf8), !parts[2].contains(UInt8(ascii: "/")),
        let group = SchemaDefinitions.groups.first(where: { parts[1].elementsEqual($0.utf8) })
      {
        self = .part(group: group, name: Self.unescaped(parts[2]))
      } else {
        return nil
      }
    }

    /// Source: RFC 6901, section 4.
    private static func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8] {
      var plain: [UInt8] = []
      var rest = text
      while let byte = rest.popFirst() {
        switch (byte, rest.first) {
        case (UInt8(ascii: "~"), UInt8(ascii: "0")): rest.removeFirst()
        case (UInt8(ascii: "~"), UInt8(ascii: "1")):
          rest.removeFirst()
          plain.append(UInt8(ascii: "/"))
          continue
        default: break
        }
        plain.append(byte)
      }
      return plain
    }
  }

  private static let groups = ["$defs", "definitions"]

  private let root: JSONValue
  private let parts: [String: [[UInt8]: JSONValue]]

  init(_ root: JSONValue) {
    self.root = root
    parts = Self.groups.reduce(into: [:]) { parts, group in
      guard case .object(let members) = root.member(group) else { return }
      parts[group] = Dictionary(members.map { ($0.key, $0.value) }, uniquingKeysWith: { $1 })
    }
  }

  /// nil where there is no such part.
  func schema(at place: Place) -> JSONValue? {
    switch place {
    case .root: root
    case .part(let group, let name): parts[group]?[name]
    }
  }
}
