import CZstd
import Foundation

/// The raw bytes of a zstd section in memory of its own.
final class UnpackedSection: @unchecked Sendable {
  /// Lives as long as this object; begins at a page.
  let bytes: UnsafeRawBufferPointer

  /// Whether a frame may stand for so many bytes. Weights shrink by some percent and the tokeniser to a third; a
  /// small file that asks for gigabytes is an attack.
  static func isPlausible(storedLength: Int, rawLength: Int) -> Bool {
    rawLength <= largest && rawLength / 256 <= storedLength
  }

  private static let largest = 16 << 30

  /// - Parameters:
  ///   - frame: the stored bytes, checked against their checksum.
  ///   - entry: the section, checked.
  ///   - path: the file, for messages.
  /// - Throws: `PackedFileError` for bytes that are not one frame of the length stated, and where there is no
  ///   memory.
  init(frame: UnsafeRawBufferPointer, of entry: SectionEntry, path: String) throws {
    guard ZSTD_getFrameContentSize(frame.baseAddress, frame.count) == UInt64(entry.rawLength),
      ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count) == frame.count
    else { throw PackedFileError.damagedSection(path: path, section: entry.name) }
    // mmap, because Swift ends the process where it cannot allocate.
    let flags = MAP_PRIVATE | MAP_ANONYMOUS
    guard let base = mmap(nil, entry.rawLength, PROT_READ | PROT_WRITE, flags, -1, 0), base != MAP_FAILED
    else {
      throw PackedFileError.system(
        path: path, operation: "unpack section \(entry.name)", reason: String(cString: strerror(errno)))
    }
    bytes = UnsafeRawBufferPointer(start: base, count: entry.rawLength)
    // From here on deinit gives the memory back.
    guard ZSTD_decompress(base, entry.rawLength, frame.baseAddress, frame.count) == entry.rawLength else {
      throw PackedFileError.damagedSection(path: path, section: entry.name)
    }
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count) }
}
