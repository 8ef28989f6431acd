import SystemSupport
import VL2Base

/// The first 64 bytes of a packed file. Numbers are little-endian.
///
/// | offset | bytes | field |
/// |---|---|---|
/// | 0 | 8 | magic `89 56 4C 32 51 0D 0A 1A` |
/// | 8 | 4 | version |
/// | 12 | 4 | zero |
/// | 16 | 8 | offset of the manifest |
/// | 24 | 8 | length of the manifest |
/// | 32 | 8 | length of the file |
/// | 40 | 4 | CRC-32C of the manifest |
/// | 44 | 16 | zero |
/// | 60 | 4 | CRC-32C of bytes 0..<60 |
struct FileHead: Equatable {
  static let length = 64
  static let version = 1
  /// Sections begin at multiples of this, which is a page boundary on every system that maps the file.
  static let alignment = 65536
  static let largestManifest = 16 << 20
  /// How many raw bytes one stored byte of a zstd section may expand to. Weights shrink by a few percent and
  /// a tokeniser to a third; a small file that asks for gigabytes of memory is an attack.
  static let largestExpansion = 256

  /// Whether a file that begins so says that it is a packed file.
  static func isBegin(of bytes: [UInt8]) -> Bool { bytes.starts(with: magic) }

  private static let magic: [UInt8] = [0x89, 0x56, 0x4C, 0x32, 0x51, 0x0D, 0x0A, 0x1A]

  var manifestOffset: Int
  var manifestLength: Int
  var fileLength: Int
  var manifestChecksum: UInt32

  func encoded() -> [UInt8] {
    var bytes = Self.magic
    bytes += Self.bytes(UInt32(Self.version)) + Self.bytes(UInt32(0))
    for number in [manifestOffset, manifestLength, fileLength] { bytes += Self.bytes(UInt64(number)) }
    bytes += Self.bytes(manifestChecksum)
    bytes += Array(repeating: 0, count: 16)
    return bytes + Self.bytes(vl2_crc32c(0, bytes, bytes.count))
  }

  private static func bytes<T: FixedWidthInteger>(_ number: T) -> [UInt8] {
    withUnsafeBytes(of: number.littleEndian) { Array($0) }
  }

  /// - Parameters:
  ///   - file: the whole file.
  ///   - path: for messages.
  /// - Throws: `PackedFileError` for anything that a writer would not write.
  init(_ file: UnsafeRawBufferPointer, path: String) throws {
    guard file.count >= 8, file.prefix(8).elementsEqual(Self.magic) else {
      if let kind = FileKind(file), kind != .packedModel {
        throw PackedFileError.otherKind(path: path, kind: kind)
      }
      throw PackedFileError.notPacked(path: path)
    }
    guard file.count >= Self.length else {
      throw PackedFileError.length(path: path, actual: file.count, expected: Self.length)
    }
    let version = UInt32(littleEndian: file.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
    guard version == Self.version else {
      throw PackedFileError.otherVersion(path: path, version: Int(version))
    }
    let checksum = UInt32(littleEndian: file.loadUnaligned(fromByteOffset: 60, as: UInt32.self))
    guard vl2_crc32c(0, file.baseAddress, 60) == checksum else {
      throw PackedFileError.invalid(path: path, field: "head", problem: "has another checksum than its own")
    }
    guard (Array(12..<16) + Array(44..<60)).allSatisfy({ file[$0] == 0 }) else {
      throw PackedFileError.invalid(path: path, field: "head", problem: "has a byte set that must be 0")
    }
    func number(_ offset: Int, _ name: String) throws -> Int {
      let value = UInt64(littleEndian: file.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
      guard let number = Int(exactly: value) else {
        throw PackedFileError.invalid(path: path, field: name, problem: "is \(value)")
      }
      return number
    }
    manifestOffset = try number(16, "manifest offset")
    manifestLength = try number(24, "manifest length")
    fileLength = try number(32, "file length")
    manifestChecksum = UInt32(littleEndian: file.loadUnaligned(fromByteOffset: 40, as: UInt32.self))
    guard fileLength == file.count else {
      throw PackedFileError.length(path: path, actual: file.count, expected: fileLength)
    }
    guard manifestLength <= Self.largestManifest else {
      throw PackedFileError.invalid(path: path, field: "manifest length", problem: "is \(manifestLength)")
    }
    guard manifestOffset >= Self.length, manifestOffset <= fileLength, manifestOffset % 64 == 0,
      manifestLength == fileLength - manifestOffset
    else {
      throw PackedFileError.invalid(path: path, field: "manifest offset", problem: "is \(manifestOffset)")
    }
  }

  init(manifestOffset: Int, manifestLength: Int, manifestChecksum: UInt32) {
    self.manifestOffset = manifestOffset
    self.manifestLength = manifestLength
    self.manifestChecksum = manifestChecksum
    fileLength = manifestOffset + manifestLength
  }
}
