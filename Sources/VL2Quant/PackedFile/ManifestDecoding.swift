extension Manifest {
  /// Why a text is no manifest.
  struct Failure: Error {
    /// For example "sections[3].tensors[0].shape"; empty for the whole.
    var field: String
    var problem: String
  }

  /// Reads a manifest strictly: every key of the type there, no key twice, numbers whole. Keys that this version
  /// does not know are passed over.
  ///
  /// - Throws: `Failure`.
  init(json: [UInt8]) throws {
    let root: JSONValue
    do {
      root = try JSONReader.read(json)
    } catch let failure as JSONReader.Failure {
      throw Failure(field: "", problem: "is not JSON, byte \(failure.offset): \(failure.problem)")
    }
    let part = ManifestPart(root: root)
    origin = try Origin(part.member("origin"))
    recipe = try part.member("recipe").elements().map { rule in
      RecipeRule(pattern: try rule.member("pattern").string(), code: try rule.member("code").choice())
    }
    configFiles = try part.member("configFiles").strings()
    sections = try part.member("sections").elements().map { try SectionEntry($0) }
  }
}

extension Manifest.Origin {
  fileprivate init(_ part: ManifestPart) throws {
    source = try part.member("source").string()
    tool = try part.member("tool").string()
    license = try part.optional("license")?.string()
    demonstration = try part.member("demonstration").bool()
    leftOut = try part.member("leftOut").elements().map { try $0.string() }
  }
}

extension SectionEntry {
  fileprivate init(_ part: ManifestPart) throws {
    name = try part.member("name").string()
    offset = try part.member("offset").integer()
    storedLength = try part.member("storedLength").integer()
    rawLength = try part.member("rawLength").integer()
    encoding = try part.member("encoding").choice()
    sha256 = try part.member("sha256").string()
    let checksum = part.member("crc32c")
    guard let crc32c = UInt32(exactly: try checksum.integer()) else {
      throw checksum.failure("is not a number of 32 bits")
    }
    self.crc32c = crc32c
    tensors = try part.member("tensors").elements().map { try TensorEntry($0) }
  }
}

extension TensorEntry {
  fileprivate init(_ part: ManifestPart) throws {
    name = try part.member("name").string()
    shape = try part.member("shape").elements().map { try $0.integer() }
    code = try part.member("code").choice()
    offset = try part.member("offset").integer()
    blockStep = try part.member("blockStep").integer()
    errorPPM = try part.member("errorPPM").integer()
  }
}

/// A value and where it stands. The place is put together only for a message: a manifest has tens of thousands of
/// values.
private struct ManifestPart {
  private indirect enum Place {
    case root
    case member(String, of: Place)
    case element(Int, of: Place)

    var text: String {
      switch self {
      case .root: ""
      case .member(let key, .root): key
      case .member(let key, let place): "\(place.text).\(key)"
      case .element(let index, let place): "\(place.text)[\(index)]"
      }
    }
  }

  private let value: JSONValue?
  private let place: Place

  init(root: JSONValue) { self.init(root, .root) }

  private init(_ value: JSONValue?, _ place: Place) {
    self.value = value
    self.place = place
  }

  func failure(_ problem: String) -> Manifest.Failure {
    Manifest.Failure(field: place.text, problem: problem)
  }

  private func unexpected(_ expected: String) -> Manifest.Failure {
    failure(value.map { "is \($0.kind), not \(expected)" } ?? "is missing")
  }

  /// The member of an object; one without value where there is none, which fails when it is read.
  func member(_ key: StaticString) -> ManifestPart {
    guard case .object(let members) = value else { return ManifestPart(nil, .member("\(key)", of: place)) }
    let found = key.withUTF8Buffer { name in members.first { $0.key.elementsEqual(name) } }
    return ManifestPart(found?.value, .member("\(key)", of: place))
  }

  /// The member of an object; nil where there is none.
  func optional(_ key: StaticString) -> ManifestPart? {
    let part = member(key)
    return part.value == nil || part.value == .null ? nil : part
  }

  func elements() throws -> [ManifestPart] {
    guard case .array(let elements) = value else { throw unexpected("a list") }
    return elements.enumerated().map { ManifestPart($1, .element($0, of: place)) }
  }

  func strings() throws -> [String: String] {
    guard case .object(let members) = value else { throw unexpected("an object") }
    var strings: [String: String] = [:]
    for member in members {
      let key = String(decoding: member.key, as: UTF8.self)
      strings[key] = try ManifestPart(member.value, .member(key, of: place)).string()
    }
    return strings
  }

  func string() throws -> String {
    guard case .string(let bytes) = value else { throw unexpected("a string") }
    return String(decoding: bytes, as: UTF8.self)
  }

  func choice<T: RawRepresentable<String>>() throws -> T {
    guard let choice = T(rawValue: try string()) else { throw unexpected("one that this version knows") }
    return choice
  }

  func integer() throws -> Int {
    guard case .integer(let number) = value else { throw unexpected("a whole number") }
    return number
  }

  func bool() throws -> Bool {
    guard case .bool(let bool) = value else { throw unexpected("true or false") }
    return bool
  }
}
