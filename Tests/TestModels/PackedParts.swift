import SystemSupport
import TestSupport
import VL2Quant

/// A packed file taken apart, to be changed and put together again with right checksums.
package struct PackedParts {
  /// Everything before the manifest.
  package var body: [UInt8]
  package var manifest: [UInt8]

  package init(path: String) throws {
    let bytes = try TestSupport.bytes(of: path)
    let offset = (16..<24).reversed().reduce(0) { $0 << 8 | Int(bytes[$1]) }
    (body, manifest) = (Array(bytes[..<offset]), Array(bytes[offset...]))
  }

  package init(body: [UInt8], manifest: [UInt8]) {
    self.body = body
    self.manifest = manifest
  }

  package var text: String {
    get { String(decoding: manifest, as: UTF8.self) }
    set { manifest = Array(newValue.utf8) }
  }

  /// The head with its own checksum. Numbers that are not given get the right values.
  package func head(
    version: UInt32 = 1, manifestOffset: UInt64? = nil, manifestLength: UInt64? = nil,
    fileLength: UInt64? = nil,
    manifestChecksum: UInt32? = nil
  ) -> [UInt8] {
    var head = Array(body[..<8])
    func append<T: FixedWidthInteger>(_ number: T) {
      withUnsafeBytes(of: number.littleEndian) { head.append(contentsOf: $0) }
    }
    append(version)
    append(UInt32(0))
    append(manifestOffset ?? UInt64(body.count))
    append(manifestLength ?? UInt64(manifest.count))
    append(fileLength ?? UInt64(body.count + manifest.count))
    append(manifestChecksum ?? vl2_crc32c(0, manifest, manifest.count))
    head += Array(repeating: 0, count: 16)
    append(vl2_crc32c(0, head, 60))
    return head
  }

  /// The file's bytes, with a fresh head or the one given.
  package func bytes(head: [UInt8]? = nil) -> [UInt8] { (head ?? self.head()) + body[64...] + manifest }

  package func write(_ path: String, head: [UInt8]? = nil) throws {
    try TestSupport.write(bytes(head: head), to: path)
  }

  /// CRC-32C of bytes.
  package static func number(_ bytes: [UInt8]) -> UInt32 { vl2_crc32c(0, bytes, bytes.count) }

  /// The checksum of a head's first 60 bytes, as it stands in the file.
  package static func checksum(_ head: [UInt8]) -> [UInt8] {
    withUnsafeBytes(of: number(Array(head[..<60])).littleEndian) { Array($0) }
  }
}

/// Makes a good file of a tiny model, takes it apart, and hands over its parts and its path.
package func withPackedParts(
  compression: PackedSection.Compression = .never, _ body: (inout PackedParts, String) throws -> Void
) throws {
  try withTemporaryFolder { folder in
    let path = folder + "/model.vl2q"
    try SyntheticModel.write(path, compression: compression)
    var parts = try PackedParts(path: path)
    try body(&parts, path)
  }
}
