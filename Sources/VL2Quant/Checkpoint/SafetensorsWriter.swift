import Glibc
import VL2Base

/// Writes a safetensors file. The caller appends the bytes of the tensors one after another.
package final class SafetensorsWriter {
  /// The type of a tensor's elements.
  package enum Element: String {
    case f32 = "F32"
    case f64 = "F64"
    case i64 = "I64"
    case u8 = "U8"

    var bytes: Int {
      switch self {
      case .f32: 4
      case .f64, .i64: 8
      case .u8: 1
      }
    }
  }

  private let path: String
  private let descriptor: Int32

  /// Writes the header.
  ///
  /// - Parameters:
  ///   - path: a file that must not exist yet, unless `replacing`.
  ///   - tensors: in the order in which their bytes will be appended.
  ///   - metadata: names and texts that stand before the tensors, in this order.
  /// - Throws: `OutputError`.
  package init(
    path: String, tensors: [(name: String, element: Element, shape: [Int])], replacing: Bool = false,
    metadata: [(name: String, text: String)] = [("format", "pt")]
  ) throws {
    self.path = path
    descriptor = open(path, O_WRONLY | O_CREAT | (replacing ? O_TRUNC : O_EXCL) | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Self.failure(path) }
    let texts = metadata.map { "\(JSONText.quoted($0.name)):\(JSONText.quoted($0.text))" }
    var entries = ["\"__metadata__\":{\(texts.joined(separator: ","))}"]
    var offset = 0
    for (name, element, shape) in tensors {
      let end = offset + shape.reduce(element.bytes, *)
      let extents = shape.map(String.init).joined(separator: ",")
      entries.append(
        "\(JSONText.quoted(name)):{\"dtype\":\"\(element.rawValue)\",\"shape\":[\(extents)],"
          + "\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var header = Array("{\(entries.joined(separator: ","))}".utf8)
    header += [UInt8](repeating: UInt8(ascii: " "), count: (8 - header.count % 8) % 8)
    try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try append($0) }
    try header.withUnsafeBytes { try append($0) }
  }

  // It may run before the error number of an opening that failed is read.
  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Writes the next bytes of the tensors.
  package func append(_ bytes: UnsafeRawBufferPointer) throws {
    do throws(Descriptor.Failure) {
      try Descriptor(descriptor).write(bytes)
    } catch {
      throw OutputError(path, error.number)
    }
  }

  /// Flushes everything that was written to the disk.
  package func finish() throws {
    guard fsync(descriptor) == 0 else { throw Self.failure(path) }
  }

  private static func failure(_ path: String) -> OutputError { OutputError(path, errno) }
}
