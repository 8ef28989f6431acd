import VL2Base

/// The values that differ between the config files of two models.
enum ConfigDifference {
  /// A value that differs between the two; nil if a file lacks it.
  struct Value: Encodable, Equatable {
    /// The file and the path of keys in it, for example "config.json: language_config.rope_theta".
    var what: String
    var a: String?
    var b: String?
  }

  /// By file and key, sorted.
  static func values(_ a: [String: String], _ b: [String: String]) -> [Value] {
    var found: [Value] = []
    for file in Set(a.keys).union(b.keys).sorted() where a[file] != b[file] {
      let (mine, theirs) = (leaves(a[file]), leaves(b[file]))
      for key in Set(mine.keys).union(theirs.keys).sorted() where mine[key] != theirs[key] {
        found.append(Value(what: key.isEmpty ? file : "\(file): \(key)", a: mine[key], b: theirs[key]))
      }
    }
    return found
  }

  /// The values of a JSON text by path; the text itself if it is not a JSON object.
  private static func leaves(_ text: String?) -> [String: String] {
    guard let text else { return [:] }
    var found: [String: String] = [:]
    func add(_ value: JSONValue, _ path: String) {
      if case .object(let members) = value, !members.isEmpty {
        for member in members {
          add(member.value, (path.isEmpty ? "" : path + ".") + String(decoding: member.key, as: UTF8.self))
        }
      } else {
        found[path] = shown(value)
      }
    }
    guard let value = try? JSONReader.read(Array(text.utf8)) else { return ["": text] }
    add(value, "")
    return found
  }

  /// The value as short JSON.
  private static func shown(_ value: JSONValue) -> String {
    switch value {
    case .array(let elements): "[" + elements.map(shown).joined(separator: ", ") + "]"
    case .object(let members):
      "{"
        + members.map { "\(JSONValue.string($0.key).kind): \(shown($0.value))" }.joined(separator: ", ") + "}"
    default: value.kind
    }
  }
}
