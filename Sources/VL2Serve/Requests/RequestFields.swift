import VL2Base

/// An object of a request. A field that is null counts as absent; fields that nobody asks for are ignored, because each
/// client sends some of its own.
struct RequestFields {
  /// Where it stands: empty for the request itself, else `messages[0]`.
  let path: String
  private let members: [String: JSONValue]

  init(_ value: JSONValue, path: String) throws {
    guard case .object(let members) = value else {
      throw RequestError.field(path.isEmpty ? "the request" : path, "is \(value.kind); give an object")
    }
    self.path = path
    self.members = Dictionary(
      members.map { (String(decoding: $0.key, as: UTF8.self), $0.value) }, uniquingKeysWith: { $1 })
  }

  /// Reads the body of a request. An empty one is an empty object.
  init(body: [UInt8]) throws {
    if body.isEmpty {
      try self.init(.object([]), path: "")
      return
    }
    do {
      // Enough for long conversations and large schemas.
      try self.init(try JSONReader.read(body, mostValues: 100_000), path: "")
    } catch let failure as JSONReader.Failure {
      throw RequestError(
        status: 400, "the body is no JSON text: byte \(failure.offset): \(failure.problem)",
        code: "invalid_json")
    }
  }

  /// Where a field stands.
  func place(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  /// The value of a field; nil where it is absent or null.
  subscript(_ name: String) -> JSONValue? {
    guard let value = members[name], value != .null else { return nil }
    return value
  }

  func fault(_ name: String, _ advice: String) -> RequestError {
    .field(place(name), "\(self[name].map { "is \($0.kind)" } ?? "is missing"); \(advice)")
  }

  func text(_ name: String) throws -> String? {
    guard let value = self[name] else { return nil }
    guard case .string(let bytes) = value else { throw fault(name, "give a text") }
    return String(decoding: bytes, as: UTF8.self)
  }

  func flag(_ name: String) throws -> Bool? {
    guard let value = self[name] else { return nil }
    guard case .bool(let flag) = value else { throw fault(name, "give true or false") }
    return flag
  }

  /// A whole number; it may be written with a point.
  func integer(_ name: String, in range: ClosedRange<Int>) throws -> Int? {
    guard let value = self[name] else { return nil }
    let number: Int? =
      switch value {
      case .integer(let number): number
      case .real(let number): Int(exactly: number)
      default: nil
      }
    guard let number, range.contains(number) else {
      throw fault(name, "give a whole number\(Self.text(range))")
    }
    return number
  }

  func number(_ name: String, in range: ClosedRange<Double>) throws -> Double? {
    guard let value = self[name] else { return nil }
    guard let number = value.number, range.contains(number) else {
      throw fault(name, "give a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  func list(_ name: String) throws -> [JSONValue]? {
    guard let value = self[name] else { return nil }
    guard case .array(let list) = value else { throw fault(name, "give a list") }
    return list
  }

  func fields(_ name: String) throws -> RequestFields? {
    try self[name].map { try RequestFields($0, path: place(name)) }
  }

  /// Texts before which an answer ends: one, or a list.
  func stops(_ name: String) throws -> [String] {
    guard let value = self[name] else { return [] }
    let list: [JSONValue] = if case .array(let list) = value { list } else { [value] }
    guard list.count <= 16 else {
      throw RequestError.field(place(name), "has \(list.count) texts; give up to 16")
    }
    return try list.compactMap { stop in
      guard case .string(let bytes) = stop else { throw fault(name, "give a text or a list of texts") }
      // An empty one would end every answer before it begins.
      return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
    }
  }

  private static func text(_ range: ClosedRange<Int>) -> String {
    range.upperBound == .max
      ? " from \(range.lowerBound)" : " from \(range.lowerBound) to \(range.upperBound)"
  }
}
