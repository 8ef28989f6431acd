/// A config file that cannot be used.
public struct ConfigError: ReportableError, Equatable {
  /// The file, for example "config.json".
  public var file: String
  /// What was wrong and what to do.
  public var problem: String

  public var exitStatus: ExitStatus { .badData }
  public var description: String { "\(file): \(problem)" }
}

/// A JSON object of a config file. A key that is absent or null reads as the default.
struct ConfigObject {
  let file: String
  private let path: String
  private let values: [String: JSONValue]

  init(text: String, file: String) throws {
    self.file = file
    path = ""
    let value: JSONValue
    do {
      value = try JSONReader.read([UInt8](text.utf8))
    } catch let failure as JSONReader.Failure {
      throw ConfigError(
        file: file,
        problem: "is not valid JSON at byte \(failure.offset), \(failure.problem): download the file again")
    }
    guard case .object(let members) = value else {
      throw ConfigError(file: file, problem: "is not a JSON object: download the file again")
    }
    values = Self.values(members)
  }

  private init(_ members: [JSONValue.Member], file: String, path: String) {
    values = Self.values(members)
    self.file = file
    self.path = path
  }

  private static func values(_ members: [JSONValue.Member]) -> [String: JSONValue] {
    Dictionary(members.map { (String(decoding: $0.key, as: UTF8.self), $0.value) }) { first, _ in first }
  }

  /// A number, whole or not.
  private static func number(_ value: JSONValue) -> Double? {
    switch value {
    case .integer(let number): Double(number)
    case .real(let number): number
    default: nil
    }
  }

  /// A whole number, which may be written as 1e3 or 16.0.
  private static func whole(_ value: JSONValue) -> Int? {
    if case .integer(let number) = value { return number }
    return number(value).flatMap { Int(exactly: $0) }
  }

  func failure(_ key: String, _ problem: String) -> ConfigError {
    ConfigError(file: file, problem: "\(path)\(key) \(problem)")
  }

  /// The object under `key`; an empty one where there is none.
  func object(_ key: String) throws -> ConfigObject {
    switch values[key] ?? .null {
    case .null: ConfigObject([], file: file, path: path + key + ".")
    case .object(let members): ConfigObject(members, file: file, path: path + key + ".")
    default: throw failure(key, "is not an object")
    }
  }

  func isObject(_ key: String) -> Bool {
    if case .object? = values[key] { return true }
    return false
  }

  func has(_ key: String) -> Bool {
    if case .null = values[key] ?? .null { return false }
    return true
  }

  /// Whether `key` stands there, if only as null.
  func mentions(_ key: String) -> Bool { values[key] != nil }

  /// A whole number in `range`; nil where there is none.
  func integer(_ key: String, in range: ClosedRange<Int>) throws -> Int? {
    guard has(key), let value = values[key] else { return nil }
    guard let whole = Self.whole(value), range.contains(whole) else {
      throw failure(
        key, "is \(value.kind), not a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return whole
  }

  func size(_ key: String, default value: Int) throws -> Int {
    try integer(key, in: 1...ConfigObject.largestSize) ?? value
  }

  /// No dimension of a published model comes near; products of three stay inside Int.
  static let largestSize = 1 << 20

  func number(_ key: String) throws -> Double? {
    guard has(key), let value = values[key] else { return nil }
    guard let number = Self.number(value) else { throw failure(key, "is \(value.kind), not a number") }
    return number
  }

  func positive(_ key: String, default value: Double) throws -> Double {
    let number = try number(key) ?? value
    guard number > 0, number.isFinite, Float(number) > 0, Float(number).isFinite else {
      throw failure(key, "is \(number), not a positive number")
    }
    return number
  }

  func bool(_ key: String, default value: Bool) throws -> Bool {
    switch values[key] ?? .null {
    case .null: return value
    case .bool(let bool): return bool
    default: throw failure(key, "is neither true nor false")
    }
  }

  func string(_ key: String) throws -> String? {
    switch values[key] ?? .null {
    case .null: return nil
    case .string(let bytes): return String(decoding: bytes, as: UTF8.self)
    default: throw failure(key, "is not a string")
    }
  }

  func strings(_ key: String) throws -> [String]? {
    switch values[key] ?? .null {
    case .null: return nil
    case .array(let list):
      return try list.map {
        guard case .string(let bytes) = $0 else { throw failure(key, "is not a list of strings") }
        return String(decoding: bytes, as: UTF8.self)
      }
    default: throw failure(key, "is not a list")
    }
  }

  func numbers(_ key: String) throws -> [Double]? {
    guard has(key) else { return nil }
    guard case .array(let list)? = values[key] else { throw failure(key, "is not a list") }
    return try list.map {
      guard let number = Self.number($0) else { throw failure(key, "is not a list of numbers") }
      return number
    }
  }

  /// A list of pairs of whole numbers, as picture sizes are written.
  func pairs(_ key: String, in range: ClosedRange<Int>) throws -> [(Int, Int)]? {
    guard has(key) else { return nil }
    guard case .array(let list)? = values[key] else { throw failure(key, "is not a list") }
    return try list.map {
      guard case .array(let pair) = $0, pair.count == 2, let first = Self.whole(pair[0]),
        let second = Self.whole(pair[1]), range.contains(first), range.contains(second)
      else { throw failure(key, "is not a list of [width, height] in pixels") }
      return (first, second)
    }
  }

  /// Refuses any value of `key` but those given; an absent key is fine.
  func require(_ key: String, oneOf known: [String]) throws {
    if let value = try string(key), !known.contains(value) {
      throw failure(
        key,
        "is \(TokenizerError.quote(Array(value.utf8))); this program knows \(known.joined(separator: ", ")) only"
      )
    }
  }
}
