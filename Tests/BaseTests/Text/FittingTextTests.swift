import TestSupport
import Testing
import VL2Base

@Suite struct FittingTextTests {
  private func fitted(_ text: String, _ limit: Int) -> FittingText {
    var fitting = FittingText(limit: limit)
    fitting.append(text)
    return fitting
  }

  @Test func examples() {
    for (text, limit, expected) in [
      ("A dog runs.", 20, "A dog runs."),
      ("  A\n\tdog   runs. ", 20, "A dog runs."),
      ("A dog runs. It is brown and wet.", 20, "A dog runs."),
      // Too little would be left of the room.
      ("Yes. It is a brown dog that runs along the beach.", 20, "Yes. It is a brown…"),
      ("A brown dog runs along the beach", 20, "A brown dog runs…"),
      ("A brown dog, running along", 20, "A brown dog…"),
      // Exactly as long as there is room.
      ("A brown dog is wet. No", 19, "A brown dog is wet."),
      ("Mr. Smith and J. Doe are running", 20, "Mr. Smith and J.…"),
      ("It costs 3.5 euros. Or more, who knows", 20, "It costs 3.5 euros."),
      ("He says \"No.\" Then he goes home again", 20, "He says \"No.\""),
      ("“A dog runs.” It is wet, and so is she", 20, "“A dog runs.”"),
      ("图片中有一只狗在海滩上奔跑。天空是蓝色的，海水很平静。", 20, "图片中有一只狗在海滩上奔跑。"),
      ("图片中有一只棕色的狗在海滩上奔跑而且天空是蓝色的", 20, "图片中有一只棕色的狗在海滩上奔跑而且天…"),
      ("Donaudampfschifffahrtsgesellschaft", 20, ""), ("", 20, ""), (" \n", 20, ""),
      // Four family members are one character.
      ("👨‍👩‍👧‍👦 a family of four here", 20, "👨‍👩‍👧‍👦 a family of four…"),
      ("A\u{1B}[31m dog", 20, "A [31m dog"),
    ] {
      let fitting = fitted(text, limit)
      #expect(fitting.result == expected, "\(text)")
      #expect(fitting.result.count <= limit)
    }
    #expect(fitted("A dog runs.", 20).isShortened == false)
    #expect(fitted("A dog runs. It is brown and wet.", 20).isShortened)
    #expect(
      !fitted("A brown dog is wet. ", 19).isShortened && fitted("A brown dog is wet. x", 19).isShortened)
  }

  /// However a text comes and however long it may be: within the limit, from the beginning, no word cut; and what was spoken
  /// on the way is what is written in the end.
  @Test func randomTexts() {
    var random = SplitMix64(seed: 24)
    let words = [
      "a", "dog", "runs.", "Mr.", "is", "it?", "\"No!\"", "blue,", "狗。", "海", "3.5", "beach",
      "extraordinarily",
      "e.g.", "J.", "–", "…", "(old)", "»So.«",
    ]
    for _ in 0..<500 {
      let limit = Int.random(in: 20...90, using: &random)
      let text = (0..<Int.random(in: 1...30, using: &random)).map { _ in words.randomElement(using: &random)!
      }
      .joined(separator: Bool.random(using: &random) ? " " : "  ")
      var growing = FittingText(limit: limit)
      var spoken: [String] = []
      var done = 0
      var rest = text[...]
      while !rest.isEmpty {
        let count = Int.random(in: 1...7, using: &random)
        growing.append(String(rest.prefix(count)))
        rest = rest.dropFirst(count)
        if let sentences = growing.sentences(after: &done) { spoken.append(sentences) }
        if growing.isFull { break }
      }
      let result = growing.result
      #expect(result == fitted(text, limit).result, "\(text)")
      #expect(result.count <= limit && !result.isEmpty, "\(text)")
      let whole = fitted(text, .max / 4).whole
      let isCut = growing.isShortened
      let kept = isCut && result.last == "…" ? String(result.dropLast()) : result
      #expect(whole.hasPrefix(kept), "\(text): \(result)")
      if isCut {
        // A word goes on behind neither a letter nor a digit.
        let (last, next) = (kept.last!, whole.dropFirst(kept.count).first!)
        #expect(!(last.isASCII && last.isLetter && next.isASCII && next.isLetter), "\(text): \(result)")
      }
      let remains = result.dropFirst(done).trimmed()
      let said = (spoken + (remains.isEmpty ? [] : [remains])).joined().filter { $0 != " " }
      #expect(said == result.filter { $0 != " " }, "\(text): \(spoken)")
    }
  }
}
