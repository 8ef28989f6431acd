/// The manifest's text: JSON written and read by hand, so that every version of Swift writes the same bytes and
/// opening a file costs little.
extension Manifest {
  /// JSON without white space, members sorted by their names' bytes.
  func encoded() -> [UInt8] {
    var text = "{\"configFiles\":{"
    let files = configFiles.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    text += files.map { "\(JSONText.quoted($0.key)):\(JSONText.quoted($0.value))" }.joined(separator: ",")
    text += "},\"origin\":" + origin.encoded + ",\"recipe\":["
    text += recipe.map {
      "{\"code\":\"\($0.code.rawValue)\",\"pattern\":\(JSONText.quoted($0.pattern))}"
    }.joined(separator: ",")
    text += "],\"sections\":[" + sections.map(\.encoded).joined(separator: ",") + "]}"
    return [UInt8](text.utf8)
  }

  /// Reads the text. Members that it does not know are ignored.
  ///
  /// - Throws: `ManifestFailure`.
  init(text: [UInt8]) throws {
    let value: JSONValue
    do {
      value = try JSONReader.read(text)
    } catch let failure as JSONReader.Failure {
      throw ManifestFailure(problem: "is not JSON at byte \(failure.offset): \(failure.problem)")
    }
    let root = try ManifestObject(value) { "" }
    origin = try Origin(root.object("origin"))
    recipe = try root.objects("recipe").map {
      RecipeRule(pattern: try $0.string("pattern"), code: try $0.name("code"))
    }
    configFiles = try root.object("configFiles").texts()
    sections = try root.objects("sections").map { try SectionEntry($0) }
  }
}

/// A manifest that cannot be read; `problem` goes behind "manifest" in an error line.
struct ManifestFailure: Error {
  var problem: String
}

extension Manifest.Origin {
  fileprivate var encoded: String {
    let names = leftOut.map { JSONText.quoted($0) }.joined(separator: ",")
    let license = license.map { "\"license\":\(JSONText.quoted($0))," } ?? ""
    let note = demonstrationNote.map { "\"demonstrationNote\":\(JSONText.quoted($0))," } ?? ""
    return "{\"demonstration\":\(demonstration),\(note)\"leftOut\":[\(names)],\(license)"
      + "\"source\":\(JSONText.quoted(source)),\"tool\":\(JSONText.quoted(tool))}"
  }

  fileprivate init(_ object: ManifestObject) throws {
    source = try object.string("source")
    tool = try object.string("tool")
    license = object.has("license") ? try object.string("license") : nil
    demonstration = try object.bool("demonstration")
    demonstrationNote = object.has("demonstrationNote") ? try object.string("demonstrationNote") : nil
    leftOut = try object.strings("leftOut")
  }
}

extension SectionEntry {
  fileprivate var encoded: String {
    "{\"crc32c\":\(crc32c),\"encoding\":\"\(encoding.rawValue)\",\"name\":\(JSONText.quoted(name)),"
      + "\"offset\":\(offset),\"rawLength\":\(rawLength),\"sha256\":\(JSONText.quoted(sha256)),"
      + "\"storedLength\":\(storedLength),"
      + "\"tensors\":[\(tensors.map(\.encoded).joined(separator: ","))]}"
  }

  fileprivate init(_ object: ManifestObject) throws {
    name = try object.string("name")
    offset = try object.integer("offset")
    storedLength = try object.integer("storedLength")
    rawLength = try object.integer("rawLength")
    encoding = try object.name("encoding")
    sha256 = try object.string("sha256")
    crc32c = try object.value("crc32c", "a number of 32 bits") { value in
      if case .integer(let number) = value { UInt32(exactly: number) } else { nil }
    }
    tensors = try object.objects("tensors").map { try TensorEntry($0) }
  }
}

extension TensorEntry {
  fileprivate var encoded: String {
    "{\"blockStep\":\(blockStep),\"code\":\"\(code.rawValue)\",\"errorPPM\":\(errorPPM),"
      + "\"name\":\(JSONText.quoted(name)),\"offset\":\(offset),"
      + "\"shape\":[\(shape.map { String($0) }.joined(separator: ","))]}"
  }

  fileprivate init(_ object: ManifestObject) throws {
    name = try object.string("name")
    shape = try object.integers("shape")
    code = try object.name("code")
    offset = try object.integer("offset")
    blockStep = try object.integer("blockStep")
    errorPPM = try object.integer("errorPPM")
  }
}

/// An object of the manifest and its place in it, which is spelt only for an error.
private struct ManifestObject {
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

  /// One of the names of a closed set.
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

  /// All members, whose values are strings. Names that Swift holds to be equal must not both be there.
  func texts() throws -> [String: String] {
    var texts: [String: String] = [:]
    for member in members {
      let name = String(decoding: member.key, as: UTF8.self)
      guard let text = Self.string(member.value), texts.updateValue(text, forKey: name) == nil else {
        throw ManifestFailure(
          problem:
            "has \(member.value.kind) at \(place()).\(TokenizerError.quote(member.key)), where one string belongs"
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
