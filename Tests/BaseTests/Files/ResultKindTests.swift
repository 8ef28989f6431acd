import Foundation
import TestSupport
import Testing
import VL2Base

@Suite struct ResultKindTests {
  private let kind = ResultKind("a list", endings: [".list", ".txt"]) { $0.starts(with: Array("LIST".utf8)) }
  private let shared = ResultKind("a table", endings: [".table"], sharesEndings: true) {
    $0.starts(with: Array("TABLE".utf8))
  }

  private func refusal(_ kind: ResultKind, _ path: String, reading inputs: [String] = []) -> String? {
    reported { try kind.check(path, reading: inputs) }.map { error in
      #expect(error is OutputError && error.kind == .usage)
      return error.description
    }
  }

  /// What is read is never replaced, whatever it is called.
  @Test func inputs() throws {
    try withTemporaryFolder { folder in
      let input = folder + "/input.list"
      try write("LIST".utf8, to: input)
      try FileManager.default.linkItem(atPath: input, toPath: folder + "/hard.list")
      #expect(refusal(kind, input) == nil)
      #expect(
        refusal(kind, input, reading: [folder + "/x", input])
          == "\(input): cannot be written: this command reads it; give another path")
      #expect(
        refusal(kind, folder + "/hard.list", reading: [input])
          == "\(folder)/hard.list: cannot be written: this command reads it as \(input); give another path"
      )
      // Also one that is missing, and a device.
      #expect(
        refusal(kind, folder + "/new.list", reading: [folder + "/./new.list"])?.contains("reads it") == true)
      #expect(refusal(kind, "/dev/null", reading: ["/dev/null"])?.contains("reads it") == true)
    }
  }

  @Test func whatIsThere() throws {
    try withTemporaryFolder { folder in
      for (name, text, refused) in [
        ("a.list", "anything", nil), ("a.TXT", "anything", nil), ("a", "LIST 2", nil), ("a", "", nil),
        ("a.log", "LIST", nil),
        ("a", "anything", "it is there, and is not a list; give a name that ends in .list"),
        ("list", "anything", "it is there"), ("a.txt.gz", "anything", "it is there"),
        ("a.vl2q", "LIST", "the result is a list, and .vl2q is the ending of something else; give a name"),
        ("a.vl2q", "", "something else"), ("a.PNG", "LIST", "something else"),
        ("a.json", "LIST", "something else"),
      ] as [(String, String, String?)] {
        let path = folder + "/" + name
        try write(text.utf8, to: path)
        let line = refusal(kind, path)
        #expect(refused.map { line?.contains($0) == true } ?? (line == nil), "\(name): \(line ?? "")")
        try FileManager.default.removeItem(atPath: path)
      }
      // Where other programs' files have the ending too, it says nothing.
      for (text, isRefused) in [("TABLE", false), ("", false), ("anything", true)] {
        try write(text.utf8, to: folder + "/a.table")
        #expect((refusal(shared, folder + "/a.table") != nil) == isRefused, "\(text)")
      }
    }
  }

  @Test func whatIsNot() throws {
    try withTemporaryFolder { folder in
      for name in ["a", "a.list", "a.log", "a.table"] { #expect(refusal(kind, folder + "/" + name) == nil) }
      for name in ["a.vl2q", "a.safetensors", "a.gguf", "a.jpg", "a.jpeg", "a.webp", "a.svg", "a.jsonl"] {
        #expect(refusal(kind, folder + "/" + name)?.contains("something else") == true, "\(name)")
      }
      #expect(refusal(shared, folder + "/a.table") == nil)
      #expect(refusal(kind, "/dev/null") == nil && refusal(kind, folder) == nil)
    }
  }
}
