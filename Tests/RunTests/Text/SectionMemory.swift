import TestModels
import VL2Run

/// A compiled tokeniser section in memory that can be damaged.
final class SectionMemory {
  let bytes: UnsafeMutableRawBufferPointer

  init(_ section: [UInt8]) {
    bytes = .allocate(byteCount: section.count, alignment: 16)
    bytes.copyBytes(from: section)
  }

  deinit { bytes.deallocate() }

  func open() throws -> Tokenizer { try Tokenizer(section: UnsafeRawBufferPointer(bytes)) }
}

extension TokenizerFixtures {
  /// The real vocabulary of DeepSeek-VL2-Tiny's family.
  static let real = Result { try open(compile(bytes("tokenizer/tokenizer.json"))) }

  /// The vocabulary of the golden nano models.
  static let nano = Result { try open(nanoSection()) }

  /// The real vocabulary of DeepSeek-VL2-Small's family.
  static let realSmall = Result {
    try open(compile(bytes("tokenizer/tokenizer-100k.json"), vocabularySize: 102_400))
  }

  /// A small vocabulary with the pre-tokeniser of that family.
  static let small = Result { try open(compile(bytes("tokenizer/small-family.json"), vocabularySize: 6016)) }

  /// Opens a section whose memory stays for the life of the process.
  static func open(_ section: [UInt8]) throws -> Tokenizer {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: section.count, alignment: 16)
    memory.copyBytes(from: section)
    return try Tokenizer(section: UnsafeRawBufferPointer(memory))
  }
}
