import Foundation
import TestSupport
import VL2Quant

/// Tokenisers of the fixtures, and what is compiled from them.
package enum TokenizerFixtures {
  package static func bytes(_ path: String) throws -> [UInt8] {
    try TestSupport.bytes(of: Fixtures.path(path))
  }

  /// Compiles a `tokenizer.json` with the published processor's names.
  package static func compile(
    _ json: [UInt8], config: String? = nil, vocabularySize: Int = 129280
  ) throws -> [UInt8] {
    try CompiledTokenizer.compile(
      tokenizerJSON: json, tokenizerConfig: config, imageToken: "<image>", paddingToken: "<｜▁pad▁｜>",
      vocabularySize: vocabularySize)
  }

  /// The tokeniser section of the golden nano models.
  package static func nanoSection() throws -> [UInt8] {
    let folder = "golden/checkpoints/nano-mha"
    return try compile(
      bytes(folder + "/tokenizer.json"),
      config: String(decoding: bytes(folder + "/tokenizer_config.json"), as: UTF8.self), vocabularySize: 648)
  }

  /// A text and its tokens, as the Hugging Face library gives them.
  package struct Case: Decodable {
    package var text: String
    package var ids: [Int]
  }

  package static func cases(_ file: String) throws -> [Case] {
    let decoder = JSONDecoder()
    return try bytes("tokenizer/" + file).split(separator: UInt8(ascii: "\n")).map {
      try decoder.decode(Case.self, from: Data($0))
    }
  }
}
