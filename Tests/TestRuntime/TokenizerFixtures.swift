import Foundation
import TestSupport
import VL2Quant
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

enum TokenizerFixtures {
  static func bytes(_ path: String) throws -> [UInt8] {
    [UInt8](try Data(contentsOf: URL(fileURLWithPath: Fixtures.path(path))))
  }

  /// Compiles a `tokenizer.json` with the published processor's names.
  static func compile(
    _ json: [UInt8], config: String? = nil, vocabularySize: Int = 129280
  ) throws -> [UInt8] {
    try CompiledTokenizer.compile(
      tokenizerJSON: json, tokenizerConfig: config, imageToken: "<image>", paddingToken: "<｜▁pad▁｜>",
      vocabularySize: vocabularySize)
  }

  /// The real vocabulary of DeepSeek-VL2-Tiny's family.
  static let real = Result { try open(compile(bytes("tokenizer/tokenizer.json"))) }

  /// The vocabulary of the golden nano models.
  static let nano = Result { try open(nanoSection()) }

  /// A vocabulary with the pre-tokeniser of DeepSeek-VL2-Small's family.
  static let small = Result { try open(compile(bytes("tokenizer/small-family.json"), vocabularySize: 6016)) }

  static func nanoSection() throws -> [UInt8] {
    let folder = "golden/checkpoints/nano-mha"
    return try compile(
      bytes(folder + "/tokenizer.json"),
      config: String(decoding: bytes(folder + "/tokenizer_config.json"), as: UTF8.self), vocabularySize: 648)
  }

  /// Opens a section whose memory stays for the life of the process.
  static func open(_ section: [UInt8]) throws -> Tokenizer {
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: section.count, alignment: 16)
    memory.copyBytes(from: section)
    return try Tokenizer(section: UnsafeRawBufferPointer(memory))
  }

  struct Case: Decodable {
    var text: String
    var ids: [Int]
  }

  static func cases(_ file: String) throws -> [Case] {
    let decoder = JSONDecoder()
    return try bytes("tokenizer/" + file).split(separator: UInt8(ascii: "\n")).map {
      try decoder.decode(Case.self, from: Data($0))
    }
  }
}

/// FNV-1a (64 bits) over numbers, four little-endian bytes each, in hexadecimal.
func fnv1a(_ numbers: some Sequence<Int>) -> String {
  var hash: UInt64 = 0xCBF2_9CE4_8422_2325
  for number in numbers {
    for shift in stride(from: 0, to: 32, by: 8) {
      hash = (hash ^ UInt64(number >> shift & 0xFF)) &* 0x100_0000_01B3
    }
  }
  let digits = String(hash, radix: 16)
  return String(repeating: "0", count: 16 - digits.count) + digits
}
