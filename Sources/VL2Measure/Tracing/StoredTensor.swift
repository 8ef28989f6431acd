import FoundationEssentials
import Glibc
import VL2Base
import VL2Quant

extension ResultKind {
  /// Outputs of stages. Checkpoints have files with this ending too.
  package static let stages = ResultKind(
    "a file of stage outputs", endings: [".safetensors"], sharesEndings: true
  ) { String(decoding: $0, as: UTF8.self).contains(#""input_ids":{"dtype":"I64""#) }
}

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
  private var element: SafetensorsWriter.Element {
    switch values {
    case .f32: .f32
    case .i64: .i64
    case .u8: .u8
    }
  }

  private func withBytes(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    switch values {
    case .f32(let values): try values.withUnsafeBytes(body)
    case .i64(let values): try values.withUnsafeBytes(body)
    case .u8(let values): try values.withUnsafeBytes(body)
    }
  }

  /// Makes the folder for the tensors' files if it is missing.
  ///
  /// - Throws: `FileError` if it cannot be made.
  package static func makeFolder(_ folder: String) throws {
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw FileError(.inputOutput, folder, "cannot be made", "name another folder")
    }
  }

  /// Writes tensors as a safetensors file `name` in `folder`.
  ///
  /// - Throws: `OutputError` if the file cannot be written.
  package static func write(_ tensors: [StoredTensor], to folder: String, name: String) throws {
    let writer = try SafetensorsWriter(
      path: folder + "/" + name, tensors: tensors.map { ($0.name, $0.element, $0.shape) }, replacing: true)
    for tensor in tensors { try tensor.withBytes(writer.append) }
    try writer.finish()
  }
}
