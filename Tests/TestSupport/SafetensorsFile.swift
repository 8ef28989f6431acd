import Foundation

/// Reads the tensors of a safetensors file that a test trusts: golden stage outputs, small checkpoints.
public struct SafetensorsFile {
  public enum Failure: Error, CustomStringConvertible {
    case malformed(String)
    case missing(String)
    public var description: String {
      switch self {
      case .malformed(let what): "not a safetensors file: \(what)"
      case .missing(let what): "no such tensor: \(what)"
      }
    }
  }

  private struct Entry {
    var type: String
    var shape: [Int]
    var range: Range<Int>
  }

  private let data: [UInt8]
  private let entries: [String: Entry]

  public init(path: String) throws {
    let data = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
    guard data.count >= 8 else { throw Failure.malformed(path) }
    let headerLength = (0..<8).reversed().reduce(0) { $0 << 8 | Int(data[$1]) }
    guard headerLength <= data.count - 8,
      let header = try JSONSerialization.jsonObject(with: Data(data[8..<8 + headerLength]))
        as? [String: Any]
    else { throw Failure.malformed(path) }

    var entries: [String: Entry] = [:]
    for (name, value) in header where name != "__metadata__" {
      guard let fields = value as? [String: Any], let type = fields["dtype"] as? String,
        let shape = fields["shape"] as? [Int], let offsets = fields["data_offsets"] as? [Int],
        offsets.count == 2, 0 <= offsets[0], offsets[0] <= offsets[1],
        offsets[1] <= data.count - 8 - headerLength
      else { throw Failure.malformed("\(path): \(name)") }
      let start = 8 + headerLength
      entries[name] = Entry(type: type, shape: shape, range: start + offsets[0]..<start + offsets[1])
    }
    self.data = data
    self.entries = entries
  }

  /// The tensors' names, sorted.
  public var names: [String] { entries.keys.sorted() }

  public func contains(_ name: String) -> Bool { entries[name] != nil }

  /// The tensor's type as the file spells it: "U8", "I64", "F32", "BF16".
  public func type(of name: String) throws -> String { try entry(name).type }

  public func shape(of name: String) throws -> [Int] { try entry(name).shape }

  /// The tensor's bytes as they are in the file, whatever its type.
  public func bytes(of name: String) throws -> [UInt8] { Array(data[try entry(name).range]) }

  /// The values of a U8 or I64 tensor, row-major.
  public func integers(of name: String) throws -> [Int] {
    switch try entry(name).type {
    case "U8": try bytes(of: name).map(Int.init)
    case "I64": try words(of: name, as: Int64.self).map { Int(Int64(littleEndian: $0)) }
    case let type: throw Failure.malformed("\(name) is \(type), not U8 or I64")
    }
  }

  /// The values of an F32 tensor, row-major.
  public func floats(of name: String) throws -> [Float] {
    let type = try entry(name).type
    guard type == "F32" else { throw Failure.malformed("\(name) is \(type), not F32") }
    return try words(of: name, as: UInt32.self).map { Float(bitPattern: UInt32(littleEndian: $0)) }
  }

  private func entry(_ name: String) throws -> Entry {
    guard let entry = entries[name] else { throw Failure.missing(name) }
    return entry
  }

  private func words<Word>(of name: String, as: Word.Type) throws -> [Word] {
    let range = try entry(name).range
    return data.withUnsafeBytes { all in
      stride(from: range.lowerBound, to: range.upperBound, by: MemoryLayout<Word>.size).map {
        all.loadUnaligned(fromByteOffset: $0, as: Word.self)
      }
    }
  }
}
