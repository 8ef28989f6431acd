import Foundation
import TestModels
import TestSupport
import Testing

/// `vl2 read` as a program, with programs of our own in place of poppler's; Tests/ClientTests has poppler and ffmpeg.
@Suite struct ReadCommandTests {
  private let vl2 = Tool("vl2")
  private static let schema =
    #"{"type": "object", "properties": {"total": {"type": "integer", "maximum": 9, "minimum": 0}}, "required": ["total"]}"#

  /// Two PDF files of three pages in a folder, and poppler's programs in another, which read `page1.txt` and so on, and note
  /// which pages they were asked for. A page that has no file is one that floods; one that is empty has no text.
  private func withDocuments(_ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try FileManager.default.createDirectory(atPath: folder + "/bin", withIntermediateDirectories: true)
      for (name, script) in [
        ("pdfinfo", "[ \"$1\" != -f ] && echo Pages: 3 || echo \"Page $2 size: 72 x 72 pts\""),
        (
          "pdftotext",
          "echo $2 >>FOLDER/asked; [ -e FOLDER/page$2.txt ] || exec /usr/bin/yes; [ -e FOLDER/torn$2 ] && exit 1; "
            + "while IFS= read -r line; do echo \"$line\"; done <FOLDER/page$2.txt"
        ),
        ("pdftoppm", "echo torn >&2; exit 1"),
      ] {
        let path = folder + "/bin/" + name
        try write("#!/bin/sh\n\(script.replacing("FOLDER", with: folder))\n".utf8, to: path)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
      }
      for name in ["a.pdf", "b.pdf"] { try write("%PDF-1.7 \(name)".utf8, to: folder + "/" + name) }
      for page in 1...3 { try text(folder, page, "Item \(page)\nTotal \(page)") }
      try write(Self.schema.utf8, to: folder + "/schema.json")
      try body(folder)
    }
  }

  private func text(_ folder: String, _ page: Int, _ text: String?) throws {
    let path = "\(folder)/page\(page).txt"
    if let text { return try write((text + "\n").utf8, to: path) }
    try FileManager.default.removeItem(atPath: path)
  }

  private func asked(_ folder: String) -> [String] {
    let text = (try? String(contentsOfFile: folder + "/asked", encoding: .utf8)) ?? ""
    try? FileManager.default.removeItem(atPath: folder + "/asked")
    return text.split(separator: "\n").map(String.init)
  }

  private func read(_ folder: String, _ words: [String]) throws -> ToolRun {
    let path = ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin"
    let model = try PackedModels.path("nano-mha", .q4)
    return try vl2.run(
      ["read", "--model", model, "--schema", folder + "/schema.json", "--text-layer", "--per", "document"]
        + words,
      environment: ["PATH": folder + "/bin:" + path])
  }

  private func objects(_ text: String) throws -> [[String: Any]] {
    try text.split(separator: "\n").map { try jsonObject(String($0)) }
  }

  /// An object that fits the schema for each file; what was read of pages before a kill is read once.
  @Test func values() throws {
    try withDocuments { folder in
      let (a, b, out) = (folder + "/a.pdf", folder + "/b.pdf", folder + "/out.jsonl")
      let whole = try read(folder, [a, b])
      #expect(whole.status == 0 && whole.errors.isEmpty, "\(whole)")
      #expect(asked(folder) == ["1", "2", "3", "1", "2", "3"])
      let lines = try objects(whole.output)
      #expect(lines.map { $0["file"] as? String } == [a, b] && lines.allSatisfy { $0.count == 3 })
      #expect(
        lines.allSatisfy {
          $0["pages"] as? String == "1-3" && ($0["data"] as? [String: Any])?["total"] is Int
        })
      let part = try read(folder, [a, "--pages", "2-"])
      #expect(
        try objects(part.output).first?["pages"] as? String == "2-3" && asked(folder) == ["2", "3"], "\(part)"
      )

      // The last page's program goes mad, which ends the work.
      try text(folder, 3, nil)
      let ended = try read(folder, [a, b, "-o", out])
      #expect(ended.status == 69 && ended.errors.contains("pdftotext wrote more than"), "\(ended)")
      #expect(asked(folder) == ["1", "2", "3"] && !FileManager.default.fileExists(atPath: out))
      try text(folder, 3, "Item 3\nTotal 3")
      let other = try read(folder, [a, b, "-o", out, "--resume", "--prompt", "What does it cost?"])
      #expect(other.status == 64 && other.errors.contains("was begun with other options"), "\(other)")
      let resumed = try read(folder, [a, b, "-o", out, "--resume"])
      #expect(resumed.status == 0 && asked(folder) == ["3", "1", "2", "3"], "\(resumed)")
      #expect(try String(contentsOfFile: out, encoding: .utf8) == whole.output)
      #expect(!FileManager.default.fileExists(atPath: out + ".part.journal"))
    }
  }

  /// A page that is torn is missing in its document alone, and the result says so; a text that is too long ends before pages
  /// are read for nothing.
  @Test func whatCannotBeRead() throws {
    try withDocuments { folder in
      let a = folder + "/a.pdf"
      try write("".utf8, to: folder + "/torn2")
      let torn = try read(folder, [a])
      #expect(
        torn.status == 65 && torn.errors.contains("a.pdf, page 2: not read: it ended with status 1"),
        "\(torn)")
      let line = try #require(try objects(torn.output).first)
      #expect(line["not_read"] as? [Int] == [2] && line["data"] is [String: Any], "\(torn)")
      try FileManager.default.removeItem(atPath: folder + "/torn2")
      _ = asked(folder)

      try text(folder, 2, String(repeating: "word ", count: 3000))
      for isResumed in [false, true] {
        let long = try read(
          folder, [a, "-o", folder + "/out\(isResumed).jsonl"] + (isResumed ? ["--resume"] : []))
        let result = try String(contentsOfFile: folder + "/out\(isResumed).jsonl", encoding: .utf8)
        #expect(long.status == 65 && asked(folder) == ["1", "2"], "\(long)")
        let error = try objects(result).first?["error"] as? String ?? ""
        #expect(error.hasPrefix("the text of pages 1-2 takes ") && error.contains("--pages"), "\(result)")
        #expect(long.errors.split(separator: "\n").count == 1 && long.errors.contains(error), "\(long)")
      }
    }
  }

  @Test func refusals() throws {
    try withTemporaryFolder { folder in
      try write("%PDF-1.7".utf8, to: folder + "/a.pdf")
      try write(Self.schema.utf8, to: folder + "/schema.json")
      let file = folder + "/a.pdf"
      for (more, part) in [
        ([file, "--per", "document"], "--per document makes JSON of a file by a schema"),
        ([file, "--per", "line"], "'line' is invalid for '--per <page|document>'"),
        (
          [file, "--text-layer", "--schema", folder + "/schema.json"],
          "--per document makes such of all of it"
        ),
        (
          [file, "--per", "document", "--schema", folder + "/schema.json", "--format", "md"],
          "--schema gives JSON; leave --format md out"
        ),
      ] {
        expectFailure(
          try vl2.run(["read", "--model", "/none.vl2q"] + more), status: 64, naming: part, more)
      }
    }
  }
}
