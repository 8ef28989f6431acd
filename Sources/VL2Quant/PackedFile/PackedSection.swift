import CZstd
import SystemSupport
import VL2Base

/// A section's bytes with their checksums, ready to be written. Worker threads make sections; the writer only
/// appends them.
public struct PackedSection: Sendable {
  /// When to store a section as a zstd frame.
  public enum Compression: Sendable {
    case never
    /// If it saves at least 5 %.
    case whereUseful
  }

  let name: String
  let tensors: [TensorEntry]
  let encoding: SectionEntry.Encoding
  let rawLength: Int
  package let sha256: String
  let crc32c: UInt32
  let stored: [UInt8]

  /// zstd's level: higher levels gain less than a percent on weights and take many times as long.
  private static let level: Int32 = 9

  /// - Parameters:
  ///   - name, tensors: as in the manifest.
  ///   - bytes: the raw bytes.
  public init(name: String, tensors: [TensorEntry], bytes: [UInt8], compression: Compression) {
    self.name = name
    self.tensors = tensors
    rawLength = bytes.count
    sha256 = bytes.withUnsafeBytes { sha256Hexadecimal($0) }
    if compression == .whereUseful, let frame = Self.compressed(bytes) {
      stored = frame
      encoding = .zstd
    } else {
      stored = bytes
      encoding = .raw
    }
    crc32c = vl2_crc32c(0, stored, stored.count)
  }

  /// The bytes as one frame; nil unless it saves at least 5 % and readers accept it.
  private static func compressed(_ bytes: [UInt8]) -> [UInt8]? {
    // zstd gives up as soon as the frame does not fit.
    let largest = bytes.count / 100 * 95
    let frame = [UInt8](unsafeUninitializedCapacity: largest) { buffer, count in
      let size = ZSTD_compress(buffer.baseAddress, largest, bytes, bytes.count, level)
      count = ZSTD_isError(size) == 0 ? size : 0
    }
    return (bytes.count - 1) / FileHead.largestExpansion < frame.count ? frame : nil
  }
}
