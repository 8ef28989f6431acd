import Foundation
import VL2Quant

/// A named tensor in memory.
package struct StoredTensor {
  package enum Values {
    case f32([Float])
    case i64([Int64])
    case u8([UInt8])
  }

  package var name: String
  package var shape: [Int]
  package var values: Values

  package init(_ name: String, _ shape: [Int], _ values: Values) {
    self.name = name
    self.shape = shape
    self.values = values
  }
}

extension StoredTensor {
  private var type: String {
    switch values {
    case .f32: "F32"
    case .i64: "I64"
    case .u8: "U8"
    }
  }

  private var byteCount: Int {
    switch values {
    case .f32(let values): values.count * 4
    case .i64(let values): values.count * 8
    case .u8(let values): values.count
    }
  }

  private func withBytes(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    switch values {
    case .f32(let values): try values.withUnsafeBytes(body)
    case .i64(let values): try values.withUnsafeBytes(body)
    case .u8(let values): try values.withUnsafeBytes(body)
    }
  }

  /// Writes tensors as a safetensors file `name` in `folder`, which is made where it is missing.
  ///
  /// - Throws: `TraceError` where the file cannot be written.
  package static func write(_ tensors: [StoredTensor], to folder: String, name: String) throws {
    let path = folder + "/" + name
    do {
      var offset = 0
      let entries = tensors.map { tensor in
        let end = offset + tensor.byteCount
        defer { offset = end }
        let shape = tensor.shape.map(String.init).joined(separator: ",")
        return "\"\(tensor.name)\":{\"dtype\":\"\(tensor.type)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(offset),\(end)]}"
      }
      var header = Array("{\(entries.joined(separator: ","))}".utf8)
      header += Array(repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
      try Data().write(to: URL(fileURLWithPath: path))
      let file = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
      var data = Data()
      withUnsafeBytes(of: UInt64(header.count).littleEndian) { data.append(contentsOf: $0) }
      data.append(contentsOf: header)
      try file.write(contentsOf: data)
      for tensor in tensors {
        try tensor.withBytes { bytes in
          guard let base = bytes.baseAddress, bytes.count > 0 else { return }
          try file.write(
            contentsOf: Data(
              bytesNoCopy: UnsafeMutableRawPointer(mutating: base), count: bytes.count, deallocator: .none))
        }
      }
      try file.close()
    } catch {
      throw TraceError(
        status: .inputOutput, description: "\(path): cannot be written: \(error.localizedDescription)")
    }
  }
}
