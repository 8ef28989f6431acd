import VL2Base

/// A tokeniser with single bytes as tokens, for models that have random weights and need no better one.
package enum ByteTokenizer {
  static let begin = "<｜begin▁of▁sentence｜>"
  static let end = "<｜end▁of▁sentence｜>"
  static let padding = "<｜▁pad▁｜>"

  /// A `tokenizer.json` with 256 byte tokens, which splits text like that of DeepSeek-VL2-Tiny. The special
  /// tokens have the ids `firstSpecial`, + 1 and + 2, so that the published begin and end ids stay right.
  package static func json(firstSpecial: Int) -> String {
    let names = [begin, end, padding]
    let special = names.enumerated().map { index, name in
      """
      {"id":\(firstSpecial + index),"content":\(quoted(name)),"single_word":false,"lstrip":false,"rstrip":false,\
      "normalized":false,"special":true}
      """
    }
    // Bytes take the lowest ids that the special tokens leave free.
    let firstByte = firstSpecial < 256 ? firstSpecial + names.count : 0
    let vocabulary =
      names.enumerated().map { "\(quoted($1)):\(firstSpecial + $0)" }
      + (0...255).map { (byte: UInt8) in
        "\(quoted(String(decoding: ByteAlphabet.token(for: byte), as: UTF8.self))):\(firstByte + Int(byte))"
      }
    let expressions = [SplitterKind.numbersOfThree, .hanAndKana, .words].compactMap(\.patterns.first)
    let splits = expressions.map { expression in
      "{\"type\":\"Split\",\"pattern\":{\"Regex\":\(quoted(expression))},\"behavior\":\"Isolated\",\"invert\":false}"
    }
    return """
      {"version":"1.0","truncation":null,"padding":null,"added_tokens":[\(special.joined(separator: ","))],\
      "normalizer":null,"pre_tokenizer":{"type":"Sequence","pretokenizers":[\(splits.joined(separator: ",")),\
      {"type":"ByteLevel","add_prefix_space":false,"trim_offsets":true,"use_regex":false}]},\
      "post_processor":null,"decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,\
      "use_regex":true},"model":{"type":"BPE","dropout":null,"unk_token":null,"continuing_subword_prefix":null,\
      "end_of_word_suffix":null,"fuse_unk":false,"byte_fallback":false,\
      "vocab":{\(vocabulary.joined(separator: ","))},"merges":[]}}
      """
  }

  private static func quoted(_ text: String) -> String { JSONText.quoted(text) }
}
