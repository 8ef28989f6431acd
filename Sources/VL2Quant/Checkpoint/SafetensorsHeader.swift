import VL2Base

/// The table of contents of a safetensors file, checked completely: the types, shapes and places that it
/// states agree with each other and with the file's length.
///
/// The format: a little-endian 64-bit length, that many bytes of JSON, then the tensors' bytes without gaps.
/// Source: https://huggingface.co/docs/safetensors
package struct SafetensorsHeader {
  package struct Tensor: Equatable {
    package var name: String
    var type: ScalarType
    package var shape: [Int]
    /// Bytes from the beginning of the file.
    package var range: Range<Int>
  }

  /// Bytes up to the first tensor's.
  let byteCount: Int
  /// In the order of their bytes in the file.
  package let tensors: [Tensor]
  /// The texts under `__metadata__`; what is no text there is left out.
  package let metadata: [String: String]

  /// The limit that the format's own library sets.
  package static let longest = 100_000_000

  /// - Throws: `CheckpointError` or `InputError`, naming the file, the tensor and the contradiction.
  package init(of file: InputFile) throws {
    let firstBytes = try file.bytes(0..<min(FileKind.bytesNeeded, file.length))
    try ForeignSourceError.refuse(firstBytes, of: file.path, expected: .safetensors)
    guard file.length >= 8 else {
      throw InputError.truncated(path: file.path, expected: 8, actual: file.length)
    }
    let length = firstBytes.prefix(8).reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard length <= Self.longest else {
      throw CheckpointError.malformed(
        path: file.path,
        problem:
          "not a safetensors file: its header would be \(length) bytes long, over the limit of \(Self.longest)"
      )
    }
    let start = 8 + Int(length)
    guard start <= file.length else {
      throw InputError.truncated(path: file.path, expected: start, actual: file.length)
    }
    let (entries, metadata) = try Self.entries(try file.bytes(8..<start), path: file.path)
    var tensors = try entries.map { try Self.tensor($0, start: start, path: file.path) }
    tensors.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    try Self.checkCover(tensors, start: start, file: file)
    self.tensors = tensors
    self.metadata = metadata
    byteCount = start
  }

  private static func entries(
    _ json: [UInt8], path: String
  ) throws -> (tensors: [JSONValue.Member], metadata: [String: String]) {
    let value: JSONValue
    do {
      value = try JSONReader.read(json, writer: .program)
    } catch let failure as JSONReader.Failure {
      throw CheckpointError.malformed(
        path: path, problem: "the header is not valid JSON at byte \(8 + failure.offset): \(failure.problem)")
    }
    guard case .object(let members) = value else {
      throw CheckpointError.malformed(path: path, problem: "the header is \(value.kind), not an object")
    }
    var texts: [String: String] = [:]
    if case .object(let members) = value.member("__metadata__") {
      for member in members {
        guard case .string(let text) = member.value else { continue }
        texts[String(decoding: member.key, as: UTF8.self)] = String(decoding: text, as: UTF8.self)
      }
    }
    return (members.filter { $0.key != Array("__metadata__".utf8) }, texts)
  }

  /// Checks one entry on its own.
  private static func tensor(_ entry: JSONValue.Member, start: Int, path: String) throws -> Tensor {
    func wrong(_ problem: String) -> CheckpointError {
      .malformed(path: path, problem: "tensor \(UntrustedText.quoted(entry.key)): \(problem)")
    }
    guard case .object(let members) = entry.value else {
      throw wrong("\(entry.value.kind) stands for an object")
    }
    let fields = Dictionary(uniqueKeysWithValues: members.map { ($0.key, $0.value) })
    func field(_ name: String) throws -> JSONValue {
      guard let value = fields[Array(name.utf8)] else { throw wrong("\(name) is missing") }
      return value
    }
    func naturals(_ name: String) throws -> [Int] {
      let value = try field(name)
      guard case .array(let elements) = value else { throw wrong("\(name) is \(value.kind), not an array") }
      return try elements.map {
        guard case .integer(let number) = $0, number >= 0 else {
          throw wrong("\(name) holds \($0.kind) where a natural number was expected")
        }
        return number
      }
    }

    guard case .string(let typeName) = try field("dtype") else { throw wrong("dtype is not a string") }
    let type = ScalarType(name: String(decoding: typeName, as: UTF8.self))
    let shape = try naturals("shape")
    let offsets = try naturals("data_offsets")
    guard offsets.count == 2, offsets[0] <= offsets[1] else {
      throw wrong("data_offsets are \(offsets), not a begin and an end")
    }
    let (begin, beginOverflows) = offsets[0].addingReportingOverflow(start)
    let (end, endOverflows) = offsets[1].addingReportingOverflow(start)
    guard !beginOverflows, !endOverflows else { throw wrong("data_offsets \(offsets) are beyond any file") }
    if let bits = type.bits {
      var total = bits
      for extent in shape {
        let (product, overflows) = total.multipliedReportingOverflow(by: extent)
        guard !overflows else { throw wrong("the shape \(shape) is beyond any file") }
        total = product
      }
      guard total % 8 == 0, total / 8 == end - begin else {
        throw wrong(
          "data_offsets \(offsets) hold \(end - begin) bytes, but \(type.name) \(shape) takes \(total / 8)")
      }
    }
    return Tensor(
      name: String(decoding: entry.key, as: UTF8.self), type: type, shape: shape, range: begin..<end)
  }

  /// Checks that the tensors follow one another from the header to the end of the file.
  private static func checkCover(_ tensors: [Tensor], start: Int, file: InputFile) throws {
    var covered = start
    var last: Tensor?
    for tensor in tensors {
      if tensor.range.lowerBound < covered, let last {
        throw CheckpointError.malformed(
          path: file.path,
          problem: "the bytes of \(UntrustedText.quoted(tensor.name)) overlap those of "
            + UntrustedText.quoted(last.name))
      }
      if tensor.range.lowerBound > covered {
        throw CheckpointError.malformed(
          path: file.path,
          problem:
            "\(tensor.range.lowerBound - covered) bytes before \(UntrustedText.quoted(tensor.name)) belong "
            + "to no tensor")
      }
      covered = tensor.range.upperBound
      last = tensor
    }
    if covered > file.length {
      throw InputError.truncated(path: file.path, expected: covered, actual: file.length)
    }
    if covered < file.length {
      throw CheckpointError.malformed(
        path: file.path, problem: "\(file.length - covered) bytes at the end belong to no tensor")
    }
  }
}
