import VL2Base

/// A JSON value together with the path that leads to it, so that errors name the part.
struct TokenizerPart {
  var value: JSONValue
  /// For example `tokenizer.json: model.merges[7]`.
  var path: String

  init(file: String, bytes: [UInt8]) throws {
    path = file
    do {
      value = try JSONReader.read(bytes)
    } catch let failure as JSONReader.Failure {
      throw TokenizerError.malformed(
        part: file, problem: "not valid JSON at byte \(failure.offset): \(failure.problem)")
    }
  }

  private init(value: JSONValue, path: String) {
    self.value = value
    self.path = path
  }

  func wrong(_ expected: String) -> TokenizerError {
    .malformed(part: path, problem: "\(value.kind) stands where \(expected) was expected")
  }

  /// The error for a part that is valid but not implemented.
  var notImplemented: TokenizerError { .notImplemented(part: path, value: value.kind) }

  var isNull: Bool { value == .null }

  /// The members of an object. Keys outside `known` are refused, because they may change what the tokeniser
  /// does.
  func members(known: Set<String>) throws -> [String: TokenizerPart] {
    guard case .object(let members) = value else { throw wrong("an object") }
    var found: [String: TokenizerPart] = [:]
    for member in members {
      let key = String(decoding: member.key, as: UTF8.self)
      guard known.contains(key) else {
        throw TokenizerError.notImplemented(part: path, value: "the key \(UntrustedText.quoted(member.key))")
      }
      found[key] = child(key, member.value)
    }
    return found
  }

  /// All members of an object, in the order of the file.
  var members: [(key: [UInt8], part: TokenizerPart)] {
    get throws {
      guard case .object(let members) = value else { throw wrong("an object") }
      return members.map { ($0.key, child(String(decoding: $0.key, as: UTF8.self), $0.value)) }
    }
  }

  /// The member of an object with this key, whatever other keys the object has.
  func member(_ key: String) throws -> TokenizerPart? {
    guard case .object(let members) = value else { throw wrong("an object") }
    return members.first { $0.key.elementsEqual(key.utf8) }.map { child(key, $0.value) }
  }

  private func child(_ key: String, _ value: JSONValue) -> TokenizerPart {
    TokenizerPart(value: value, path: path.hasSuffix(".json") ? "\(path): \(key)" : "\(path).\(key)")
  }

  var elements: [TokenizerPart] {
    get throws {
      guard case .array(let elements) = value else { throw wrong("an array") }
      return elements.enumerated().map { TokenizerPart(value: $1, path: "\(path)[\($0)]") }
    }
  }

  var string: [UInt8] {
    get throws {
      guard case .string(let bytes) = value else { throw wrong("a string") }
      return bytes
    }
  }

  var bool: Bool {
    get throws {
      guard case .bool(let value) = value else { throw wrong("true or false") }
      return value
    }
  }

  var integer: Int {
    get throws {
      guard case .integer(let value) = value else { throw wrong("an integer") }
      return value
    }
  }
}

extension [String: TokenizerPart] {
  /// The member `key`, which must be there. If it is missing, the error names `parent`.
  func required(_ key: String, of parent: TokenizerPart) throws -> TokenizerPart {
    guard let part = self[key] else {
      throw TokenizerError.malformed(part: parent.path, problem: "the key \"\(key)\" is missing")
    }
    return part
  }
}
