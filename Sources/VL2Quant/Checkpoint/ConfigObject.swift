import Foundation

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
  private indirect enum Value: Decodable {
    case null
    case bool(Bool)
    case number(Double)
    case string(String)
    case list([Value])
    case object([String: Value])

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      // Lists and objects nest as deep as JSONDecoder allows, which stops long before the stack ends.
      if container.decodeNil() {
        self = .null
      } else if let bool = try? container.decode(Bool.self) {
        self = .bool(bool)
      } else if let number = try? container.decode(Double.self) {
        self = .number(number)
      } else if let string = try? container.decode(String.self) {
        self = .string(string)
      } else if let list = try? container.decode([Value].self) {
        self = .list(list)
      } else {
        self = .object(try container.decode([String: Value].self))
      }
    }
  }

  let file: String
  private let path: String
  private let values: [String: Value]

  init(text: String, file: String) throws {
    self.file = file
    path = ""
    // Trials of `Value` double with each level; real config files have three.
    guard Self.depth(of: text) <= 16 else {
      throw ConfigError(file: file, problem: "is nested too deeply for a model's config: check the file")
    }
    guard case .object(let values)? = try? JSONDecoder().decode(Value.self, from: Data(text.utf8)) else {
      throw ConfigError(file: file, problem: "is not a JSON object: download the file again")
    }
    self.values = values
  }

  private init(_ values: [String: Value], file: String, path: String) {
    self.values = values
    self.file = file
    self.path = path
  }

  private static func depth(of text: String) -> Int {
    var (depth, deepest) = (0, 0)
    for byte in text.utf8 {
      if byte == UInt8(ascii: "{") || byte == UInt8(ascii: "[") { depth += 1 }
      if byte == UInt8(ascii: "}") || byte == UInt8(ascii: "]") { depth -= 1 }
      deepest = max(deepest, depth)
    }
    return deepest
  }

  func failure(_ key: String, _ problem: String) -> ConfigError {
    ConfigError(file: file, problem: "\(path)\(key) \(problem)")
  }

  /// The object under `key`; an empty one where there is none.
  func object(_ key: String) throws -> ConfigObject {
    switch values[key] ?? .null {
    case .null: ConfigObject([:], file: file, path: path + key + ".")
    case .object(let values): ConfigObject(values, file: file, path: path + key + ".")
    default: throw failure(key, "is not an object")
    }
  }

  func has(_ key: String) -> Bool {
    if case .null = values[key] ?? .null { return false }
    return true
  }

  /// Whether `key` stands there, if only as null.
  func mentions(_ key: String) -> Bool { values[key] != nil }

  /// A whole number in `range`; nil where there is none.
  func integer(_ key: String, in range: ClosedRange<Int>) throws -> Int? {
    switch values[key] ?? .null {
    case .null: return nil
    case .number(let number):
      guard let whole = Int(exactly: number), range.contains(whole) else {
        throw failure(
          key, "is \(number), not a whole number from \(range.lowerBound) to \(range.upperBound)")
      }
      return whole
    default: throw failure(key, "is not a number")
    }
  }

  func size(_ key: String, default value: Int) throws -> Int {
    try integer(key, in: 1...ConfigObject.largestSize) ?? value
  }

  /// No dimension of a published model comes near; products of three stay inside Int.
  static let largestSize = 1 << 20

  func number(_ key: String) throws -> Double? {
    switch values[key] ?? .null {
    case .null: return nil
    case .number(let number): return number
    default: throw failure(key, "is not a number")
    }
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
    case .string(let string): return string
    default: throw failure(key, "is not a string")
    }
  }

  func strings(_ key: String) throws -> [String]? {
    switch values[key] ?? .null {
    case .null: return nil
    case .list(let list):
      return try list.map {
        guard case .string(let string) = $0 else { throw failure(key, "is not a list of strings") }
        return string
      }
    default: throw failure(key, "is not a list")
    }
  }

  func numbers(_ key: String) throws -> [Double]? {
    guard has(key) else { return nil }
    guard case .list(let list)? = values[key] else { throw failure(key, "is not a list") }
    return try list.map {
      guard case .number(let number) = $0 else { throw failure(key, "is not a list of numbers") }
      return number
    }
  }

  /// A list of pairs of whole numbers, as picture sizes are written.
  func pairs(_ key: String, in range: ClosedRange<Int>) throws -> [(Int, Int)]? {
    guard has(key) else { return nil }
    guard case .list(let list)? = values[key] else { throw failure(key, "is not a list") }
    return try list.map {
      guard case .list(let pair) = $0, pair.count == 2, case .number(let a) = pair[0],
        case .number(let b) = pair[1], let first = Int(exactly: a), let second = Int(exactly: b),
        range.contains(first), range.contains(second)
      else { throw failure(key, "is not a list of [width, height] in pixels") }
      return (first, second)
    }
  }

  /// Refuses any value of `key` but those given; an absent key is fine.
  func require(_ key: String, oneOf known: [String]) throws {
    if let value = try string(key), !known.contains(value) {
      throw failure(key, "is \"\(value)\"; this program knows \(known.joined(separator: ", ")) only")
    }
  }
}
