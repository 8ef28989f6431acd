import VL2Base

/// A JSON object of a config file. A key that is absent or null reads as the default.
struct ConfigObject {
  let file: String
  private let path: String
  private let values: [String: JSONValue]

  /// - Parameters:
  ///   - text: the whole file.
  ///   - file: its name, for messages.
  /// - Throws: `FileError` for anything but one JSON object.
  init(text: String, file: String) throws {
    let value: JSONValue
    do {
      value = try JSONReader.read(Array(text.utf8))
    } catch let failure as JSONReader.Failure {
      throw FileError(
        .badData, file, "is not JSON, byte \(failure.offset): \(failure.problem)", "download the file again")
    }
    guard case .object(let members) = value else {
      throw FileError(.badData, file, "is \(value.kind), not a JSON object", "download the file again")
    }
    self.init(members, file: file, path: "")
  }

  private init(_ members: [JSONValue.Member], file: String, path: String) {
    self.file = file
    self.path = path
    values = Dictionary(
      members.map { (String(decoding: $0.key, as: UTF8.self), $0.value) }, uniquingKeysWith: { $1 })
  }

  func failure(_ key: String, _ reason: String, _ hint: Hint = .none) -> FileError {
    FileError(.badData, file, "\(path)\(key) \(reason)", hint)
  }

  private func value(_ key: String) -> JSONValue { values[key] ?? .null }

  private func unexpected(_ key: String, _ expected: String) -> FileError {
    failure(key, "is \(value(key).kind), not \(expected)")
  }

  /// Whether `key` has a value other than null.
  func has(_ key: String) -> Bool { value(key) != .null }

  /// Whether `key` is present, even as null.
  func mentions(_ key: String) -> Bool { values[key] != nil }

  /// What kind of value `key` has, for a message.
  func kind(_ key: String) -> String { value(key).kind }

  /// The object under `key`; an empty one if there is none.
  func object(_ key: String) throws -> ConfigObject {
    switch value(key) {
    case .null: ConfigObject([], file: file, path: path + key + ".")
    case .object(let members): ConfigObject(members, file: file, path: path + key + ".")
    default: throw unexpected(key, "an object")
    }
  }

  /// The keys of the object under `key`; none if the value is not an object.
  func keys(_ key: String) -> [String] {
    guard case .object(let members) = value(key) else { return [] }
    return members.map { String(decoding: $0.key, as: UTF8.self) }
  }

  /// A whole number in `range`; nil if there is none.
  func integer(_ key: String, in range: ClosedRange<Int>) throws -> Int? {
    switch value(key) {
    case .null: return nil
    case .integer(let number) where range.contains(number): return number
    default: throw unexpected(key, "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
  }

  /// One whole number in `range`, or a list of such numbers; nil if there is none.
  func integers(_ key: String, in range: ClosedRange<Int>) throws -> [Int]? {
    guard case .array(let list) = value(key) else { return try integer(key, in: range).map { [$0] } }
    let numbers = list.compactMap { element -> Int? in
      guard case .integer(let number) = element, range.contains(number) else { return nil }
      return number
    }
    guard numbers.count == list.count, !list.isEmpty else {
      throw failure(
        key, "is not a list of whole numbers from \(range.lowerBound) to \(range.upperBound)")
    }
    return numbers
  }

  func size(_ key: String, default value: Int) throws -> Int {
    try integer(key, in: 1...ConfigObject.largestSize) ?? value
  }

  /// Far above any dimension of a published model; a product of three such sizes still fits into Int.
  static let largestSize = 1 << 20

  func number(_ key: String) throws -> Double? {
    guard value(key) != .null else { return nil }
    guard let number = value(key).number else { throw unexpected(key, "a number") }
    return number
  }

  /// A number that is still positive as float32.
  func positive(_ key: String, default value: Double) throws -> Double {
    let number = try number(key) ?? value
    guard Float(number) > 0, Float(number).isFinite else { throw unexpected(key, "a positive number") }
    return number
  }

  func bool(_ key: String, default value: Bool) throws -> Bool {
    switch self.value(key) {
    case .null: return value
    case .bool(let bool): return bool
    default: throw unexpected(key, "true or false")
    }
  }

  func string(_ key: String) throws -> String? {
    switch value(key) {
    case .null: return nil
    case .string(let bytes): return String(decoding: bytes, as: UTF8.self)
    default: throw unexpected(key, "a string")
    }
  }

  /// The mark of a demonstration model: a sentence that says so, or just `true`.
  func demonstrationMark(_ key: String) throws -> (isSet: Bool, sentence: String?) {
    switch value(key) {
    case .null: return (false, nil)
    case .bool(let isSet): return (isSet, nil)
    case .string(let bytes) where !bytes.isEmpty: return (true, String(decoding: bytes, as: UTF8.self))
    default: throw unexpected(key, "a sentence or true")
    }
  }

  private func list(_ key: String) throws -> [JSONValue]? {
    switch value(key) {
    case .null: return nil
    case .array(let elements): return elements
    default: throw unexpected(key, "a list")
    }
  }

  func strings(_ key: String) throws -> [String]? {
    try list(key)?.map {
      guard case .string(let bytes) = $0 else { throw failure(key, "holds \($0.kind), not strings alone") }
      return String(decoding: bytes, as: UTF8.self)
    }
  }

  func numbers(_ key: String) throws -> [Double]? {
    try list(key)?.map {
      guard let number = $0.number else {
        throw failure(key, "holds \($0.kind), not numbers alone")
      }
      return number
    }
  }

  /// A list of pairs of whole numbers, the form in which picture sizes are written.
  func pairs(_ key: String, in range: ClosedRange<Int>) throws -> [(Int, Int)]? {
    try list(key)?.map {
      guard case .array(let pair) = $0, pair.count == 2, case .integer(let first) = pair[0],
        case .integer(let second) = pair[1], range.contains(first), range.contains(second)
      else {
        throw failure(
          key, "is not a list of [width, height], each \(range.lowerBound) to \(range.upperBound)")
      }
      return (first, second)
    }
  }

  /// Refuses any value of `key` except the given ones; an absent key is accepted.
  func require(_ key: String, oneOf known: [String]) throws {
    if let value = try string(key), !known.contains(value) {
      throw failure(key, "is \(kind(key))", "this program knows \(known.joined(separator: ", ")) only")
    }
  }

  /// Refuses any value of `key` except `known`, which is also the default.
  func require(_ key: String, _ known: Bool) throws {
    if try bool(key, default: known) != known {
      throw failure(key, "is \(!known)", "this program knows \(known) only")
    }
  }
}
