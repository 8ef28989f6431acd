/// Reads one JSON text (RFC 8259) from bytes, strictly: valid UTF-8, no duplicate keys, nothing after the
/// value, at most 128 levels deep. A byte-order mark before it, as editors write one, is skipped.
package struct JSONReader {
  /// Where reading stopped and why.
  package struct Failure: Error {
    package var offset: Int
    package var problem: String
  }

  /// Who writes a text.
  package enum Writer {
    /// People, with editors that put a mark before it.
    case anybody
    /// This program, or one that writes the same format.
    case program
  }

  private static let deepest = 128

  private let bytes: [UInt8]
  private let mostValues: Int
  private var position = 0
  private var values = 0

  private init(_ bytes: [UInt8], mostValues: Int) {
    self.bytes = bytes
    self.mostValues = mostValues
  }

  /// The value in `bytes`.
  ///
  /// - Parameters:
  ///   - mostValues: more are refused, those inside others included. A value takes up to a hundred times the memory
  ///     of its text.
  ///   - writer: who writes such texts; a program writes no byte-order mark.
  /// - Throws: `Failure`.
  package static func read(_ bytes: [UInt8], mostValues: Int = .max, writer: Writer = .anybody) throws
    -> JSONValue
  {
    var reader = JSONReader(bytes, mostValues: mostValues)
    guard String(validating: bytes, as: UTF8.self) != nil else { throw reader.failure("not valid UTF-8") }
    if writer == .anybody, bytes.starts(with: ByteOrderMark.utf8) {
      reader.position = ByteOrderMark.utf8.count
    }
    reader.skipSpace()
    let value = try reader.value(depth: 0)
    reader.skipSpace()
    if reader.position < bytes.count { throw reader.failure("something follows the end of the JSON text") }
    return value
  }

  private func failure(_ problem: String) -> Failure { Failure(offset: position, problem: problem) }

  private var next: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
  }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard next == byte else { return false }
    position += 1
    return true
  }

  private mutating func value(depth: Int) throws -> JSONValue {
    guard depth <= Self.deepest else { throw failure("nested more than \(Self.deepest) levels deep") }
    values += 1
    guard values <= mostValues else { throw failure("more than \(mostValues) values") }
    switch next {
    case UInt8(ascii: "{"): return try object(depth: depth)
    case UInt8(ascii: "["): return try array(depth: depth)
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case .some(UInt8(ascii: "-")), .some(UInt8(ascii: "0")...UInt8(ascii: "9")): return try number()
    case nil: throw failure("ends early")
    default: throw failure("no JSON value begins like this")
    }
  }

  private mutating func word(_ text: StaticString, _ value: JSONValue) throws -> JSONValue {
    let matches = text.withUTF8Buffer { bytes[position...].prefix($0.count).elementsEqual($0) }
    guard matches else { throw failure("no JSON value begins like this") }
    position += text.utf8CodeUnitCount
    return value
  }

  private mutating func object(depth: Int) throws -> JSONValue {
    position += 1
    var members: [JSONValue.Member] = []
    var keys: Set<[UInt8]> = []
    skipSpace()
    if take(UInt8(ascii: "}")) { return .object(members) }
    while true {
      skipSpace()
      guard next == UInt8(ascii: "\"") else { throw failure("a key was expected") }
      let start = position
      let key = try string()
      guard keys.insert(key).inserted else {
        position = start
        throw failure("the key \(UntrustedText.quoted(key)) comes twice")
      }
      skipSpace()
      guard take(UInt8(ascii: ":")) else { throw failure("a colon was expected") }
      skipSpace()
      members.append(.init(key: key, value: try value(depth: depth + 1)))
      skipSpace()
      if take(UInt8(ascii: "}")) { return .object(members) }
      guard take(UInt8(ascii: ",")) else { throw failure("a comma or } was expected") }
    }
  }

  private mutating func array(depth: Int) throws -> JSONValue {
    position += 1
    var elements: [JSONValue] = []
    skipSpace()
    if take(UInt8(ascii: "]")) { return .array(elements) }
    while true {
      skipSpace()
      elements.append(try value(depth: depth + 1))
      skipSpace()
      if take(UInt8(ascii: "]")) { return .array(elements) }
      guard take(UInt8(ascii: ",")) else { throw failure("a comma or ] was expected") }
    }
  }

  private mutating func number() throws -> JSONValue {
    let start = position
    var whole = true
    _ = take(UInt8(ascii: "-"))
    if !take(UInt8(ascii: "0")) { try digits() }
    if take(UInt8(ascii: ".")) {
      whole = false
      try digits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      whole = false
      if !take(UInt8(ascii: "+")) { _ = take(UInt8(ascii: "-")) }
      try digits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    if whole, let value = Int(text) { return .integer(value) }
    guard let value = Double(text), value.isFinite else { throw failure("the number is too large") }
    return whole ? .wideInteger(Array(bytes[start..<position])) : .real(value)
  }

  private mutating func digits() throws {
    let start = position
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { position += 1 }
    if position == start { throw failure("a digit was expected") }
  }

  private mutating func string() throws -> [UInt8] {
    position += 1
    let start = position
    var plain = true
    var text: [UInt8] = []
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        if plain { text = Array(bytes[start..<position]) }
        position += 1
        return text
      case UInt8(ascii: "\\"):
        if plain {
          text = Array(bytes[start..<position])
          plain = false
        }
        position += 1
        try escape(into: &text)
      case 0..<0x20:
        throw failure("a control character stands in a string")
      default:
        if !plain { text.append(byte) }
        position += 1
      }
    }
    throw failure("a string does not end")
  }

  private mutating func escape(into text: inout [UInt8]) throws {
    guard let byte = next else { throw failure("a string does not end") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"):
      var code = try hex()
      if (0xD800..<0xDC00).contains(code) {
        guard take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
          throw failure("half of a surrogate pair")
        }
        let low = try hex()
        guard (0xDC00..<0xE000).contains(low) else { throw failure("half of a surrogate pair") }
        code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
      }
      guard let scalar = Unicode.Scalar(code) else { throw failure("half of a surrogate pair") }
      text.append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
    default: throw failure("an escape that JSON does not have")
    }
  }

  private mutating func hex() throws -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = next, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw failure("four hexadecimal digits were expected")
      }
      code = code << 4 | UInt32(digit)
      position += 1
    }
    return code
  }
}
