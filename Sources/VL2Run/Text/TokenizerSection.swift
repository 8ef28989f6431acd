import VL2Quant

/// The bytes of a tokeniser section, read in place. The head and the places of the tables are checked when it
/// is opened; what the tables hold is checked where it is read.
struct TokenizerSection: @unchecked Sendable {
  // Sendable although it holds a pointer: nobody writes to the memory, which outlives this value.
  private let memory: UnsafeRawBufferPointer
  private let places: [Range<Int>]

  /// Throws `TokenizerError` where the head contradicts itself.
  init(_ memory: UnsafeRawBufferPointer) throws {
    self.memory = memory
    guard memory.count >= TokenizerLayout.headLength else {
      throw TokenizerError.damagedSection(field: "length", problem: "\(memory.count) is too small for a head")
    }
    guard memory.prefix(TokenizerLayout.magic.count).elementsEqual(TokenizerLayout.magic) else {
      throw TokenizerError.damagedSection(field: "magic", problem: "is not that of a tokeniser")
    }
    func field(_ offset: Int) -> Int { Int(Self.load(memory, offset)) }
    let version = field(TokenizerLayout.Field.version)
    guard version == TokenizerLayout.version else {
      throw TokenizerError.damagedSection(
        field: "version", problem: "\(version) is not \(TokenizerLayout.version), the one this program reads")
    }
    let length = field(TokenizerLayout.Field.sectionLength)
    guard length == memory.count else {
      throw TokenizerError.damagedSection(
        field: "length", problem: "\(length) contradicts the file, which holds \(memory.count) bytes")
    }
    places = try TokenizerLayout.Table.allCases.map { table in
      let (start, count) = (field(table.field), field(table.field + 4))
      guard start >= TokenizerLayout.headLength, start <= memory.count, count <= memory.count - start else {
        throw TokenizerError.damagedSection(
          field: "table \(table)", problem: "at \(start), \(count) bytes long, does not lie in the section")
      }
      return start..<start + count
    }
  }

  private static func load(_ memory: UnsafeRawBufferPointer, _ offset: Int) -> UInt32 {
    UInt32(littleEndian: memory.loadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  /// A field of the head.
  func head(_ offset: Int) -> UInt32 { Self.load(memory, offset) }

  /// One byte of the head.
  func headByte(_ offset: Int) -> UInt8 { memory[offset] }

  /// Bytes in a table.
  func length(of table: TokenizerLayout.Table) -> Int { places[table.rawValue].count }

  /// The number at `index` of a table of numbers; `TokenizerLayout.none` beyond its end.
  func number(_ table: TokenizerLayout.Table, _ index: Int) -> UInt32 {
    let place = places[table.rawValue]
    guard index >= 0, index < place.count / 4 else { return TokenizerLayout.none }
    return Self.load(memory, place.lowerBound + index * 4)
  }

  /// Bytes `range` of a table; empty where they do not lie in it.
  func bytes(_ table: TokenizerLayout.Table, from start: Int, to end: Int) -> UnsafeRawBufferPointer {
    let place = places[table.rawValue]
    guard start >= 0, start <= end, end <= place.count else {
      return UnsafeRawBufferPointer(start: nil, count: 0)
    }
    return UnsafeRawBufferPointer(rebasing: memory[place.lowerBound + start..<place.lowerBound + end])
  }
}
