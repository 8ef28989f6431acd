import Foundation
import TestSupport
import Testing
import VL2Base
import VL2Measure
import VL2Run

/// Tables of benchmarks are read as pandas writes them, and refused where they are none.
@Suite struct BenchmarkFileTests {
  private func question(_ item: BenchmarkItem) -> String {
    item.question.map { part in
      switch part {
      case .text(let text): text
      case .trusted(let text): "{\(text)}"
      case .picture: "?"
      }
    }.joined()
  }

  @Test func names() {
    for (file, name) in [
      ("ChartQA_TEST.tsv", "ChartQA"), ("/a/b/TextVQA_VAL.tsv", "TextVQA"),
      ("DocVQA_VAL_local.tsv", "DocVQA"),
      ("ocrbench.tsv", "OCRBench"), ("AI2D_TEST_NO_MASK.tsv", "AI2D"), ("RefCOCO+_val.tsv", "RefCOCO+"),
      ("RefCOCO.tsv", "RefCOCO"), ("SEEDBench_IMG.tsv", "SEEDBench"), ("InfoVQA_VAL.tsv", "InfoVQA"),
    ] { #expect(Yardstick.of(file: file)?.name == name, "\(file)") }
    for file in ["ChartQAPro.tsv", "OCRBench_v2.tsv", "MMBench_DEV_EN.tsv", "x.tsv", "", "/ChartQA/"] {
      #expect(Yardstick.of(file: file) == nil || file == "/ChartQA/", "\(file)")
    }
    #expect(Yardstick.named("chartqa")?.name == "ChartQA" && Yardstick.named("") == nil)
  }

  /// Questions are put as VLMEvalKit puts them.
  @Test func prompts() throws {
    try withTemporaryFolder { folder in
      let picture = try MadeTable.picture()
      func asked(_ name: String, _ header: [String], _ row: [String]) throws -> String {
        let rows = [["index", "image", "question", "answer"] + header, ["7", picture] + row]
        let file = try MadeTable.open(MadeTable.text(rows), as: name, in: folder)
        return question(try file.item(file.places[0]))
      }
      let short = "How many?\nAnswer the question using a single word or phrase."
      #expect(try asked("ChartQA", [], ["How many?", "3"]) == short)
      #expect(try asked("TextVQA", [], ["How many?", "['3', '3']"]) == short)
      #expect(try asked("DocVQA", [], ["How many?", "3"]) == short)
      #expect(try asked("OCRBench", ["category"], ["How many?", "['3']", "x"]) == "How many?")
      // A choice that is missing, in pandas' words, is none; a hint comes first.
      let letters = ["A", "B", "C", "D", "hint"]
      #expect(
        try asked("AI2D", letters, ["Which?", "B", "one", "two\tor more", "", "None", "Look."])
          == "Hint: Look.\nQuestion: Which?\nOptions:\nA. one\nB. two\tor more\n"
          + "Please select the correct answer from the options above. \n")
      #expect(
        try asked("MCQ", ["A"], ["Which?", "A", "n/a"]) == "Question: Which?\n", "nothing to choose from")
      let sentence =
        "Please provide the bounding box coordinate of the region this sentence describes: <ref>a <b> cat</ref>"
      #expect(try asked("RefCOCO", [], [sentence, "[1, 2, 3, 4]"]) == "{<|ref|>}a <b> cat{<|/ref|>.}")
      #expect(try asked("RefCOCO", [], ["left cat", "[1, 2, 3, 4]"]) == "{<|ref|>}left cat{<|/ref|>.}")
    }
  }

  /// Cells in quotes, byte-order marks, line ends of Windows, blank lines, columns in any order.
  @Test func cells() throws {
    try withTemporaryFolder { folder in
      let picture = try MadeTable.picture()
      let text =
        "\u{FEFF}answer\tquestion\timage\tindex\tsplit\r\n"
        + "a\t\"two\nlines, \"\"quoted\"\"\tand a tab\"\t\(picture)\t1\tval\r\n\r\n"
        + "b\tin \"the\" middle\t\(picture)\t2\t\"\"\n\n" + "\"c\"d\tlast\t\"\(picture)\"\tx y\tval"
      #expect(try MadeTable.open(text, as: "plain", limit: 2, in: folder).places.count == 2)
      let file = try MadeTable.open(text, as: "plain", in: folder)
      let items = try file.places.map { try file.item($0) }
      #expect(items.map(\.line) == [2, 5, 7] && items.map(\.index) == ["1", "2", "x y"])
      #expect(items.map(question) == ["two\nlines, \"quoted\"\tand a tab", "in \"the\" middle", "last"])
      #expect(items.map { $0.groups["split"] } == ["val", "none", "val"])
      #expect(items[2].score("cd", size: (1, 1)) == 1)
      let small = try Picture(contentsOf: Fixtures.path("golden/images/small.png"))
      for item in items { #expect(try item.decoded(background: .white) == [small]) }
      let names = try items.map { try $0.identity("s") }
      #expect(Set(names).count == 3 && names[0].count == 64)
      #expect(try items[0].identity("t") != names[0] && file.item(file.places[0]).identity("s") == names[0])
    }
  }

  /// Of one picture there is one copy; several are a list; a row without is left out.
  @Test func pictures() throws {
    try withTemporaryFolder { folder in
      let (small, wide) = (try MadeTable.picture(), try MadeTable.picture("wide.jpg"))
      let rows = [
        ["index", "image", "question", "answer"], ["1", "3", "first", "a"], ["2", "", "none", "a"],
        ["3", small, "second", "a"], ["4", "3", "third", "a"],
        ["5", MadeTable.list([wide, small]), "both", "a"],
      ]
      let file = try MadeTable.open(MadeTable.text(rows), as: "plain", in: folder)
      #expect(file.withoutPicture == 1)
      let items = try file.places.map { try file.item($0) }
      #expect(items.map(\.index) == ["1", "3", "4", "5"])
      let sizes = try items.map { try $0.decoded(background: .dropped).map(\.width) }
      #expect(
        sizes[0] == sizes[1] && sizes[1] == sizes[2] && sizes[3].count == 2 && sizes[3][1] == sizes[0][0])
      // A limit may leave the row with the picture behind it.
      let first = try MadeTable.open(MadeTable.text(rows), as: "plain", limit: 1, in: folder)
      #expect(
        try first.places.count == 1
          && first.item(first.places[0]).decoded(background: .white)[0].width == sizes[0][0])
    }
  }

  /// Files of over a gigabyte come with their pictures in a folder.
  @Test func paths() throws {
    try withTemporaryFolder { folder in
      for place in ["", "/images/table/sub"] {
        try FileManager.default.createDirectory(atPath: folder + place, withIntermediateDirectories: true)
        try FileManager.default.copyItem(
          atPath: Fixtures.path("golden/images/small.png"), toPath: folder + place + "/a.png")
      }
      let rows = [
        ["index", "image_path", "question", "answer"], ["1", "a.png", "?", "a"],
        ["2", "['sub/a.png']", "?", "a"],
        ["3", folder + "/a.png", "?", "a"],
      ]
      let file = try MadeTable.open(MadeTable.text(rows), as: "plain", in: folder)
      for place in file.places { #expect(try file.item(place).decoded(background: .white).count == 1) }
      let gone = MadeTable.text([rows[0], rows[1], ["2", "b.png", "?", "a"]])
      let error = thrown { _ = try MadeTable.open(gone, as: "plain", in: folder) } as? FileError
      #expect(error?.kind == .noInput && error?.line == 3, "\(String(describing: error))")
    }
  }

  /// What is no table of a benchmark is refused with its line, before any model is opened.
  @Test(
    arguments: [
      ("plain", "", "holds no rows", nil), ("plain", "\n\n", "holds no rows", nil),
      ("plain", "index\timage\tquestion\tanswer\n", "holds no rows but", nil),
      ("plain", "1\tP\twhat?\ta\n2\tP\twhat?\ta\n", "no column \"index\"", 1),
      ("plain", "index\tquestion\tanswer\n1\t?\ta\n", "no column \"image\"", 1),
      ("plain", "index\timage\tanswer\n1\tP\ta\n", "no column \"question\"", 1),
      ("plain", "index\timage\tquestion\n1\tP\t?\n", "no column \"answer\"", 1),
      ("MCQ", "index\timage\tquestion\tanswer\n1\tP\t?\tA\n", "no column \"A\"", 1),
      ("OCRBench", "index\timage\tquestion\tanswer\n1\tP\t?\ta\n", "no column \"category\"", 1),
      ("plain", "index\timage\tquestion\tanswer\tquestion\n", "two columns \"question\"", 1),
      ("plain", "H\n1\tP\t?\ta\n2\tP\t?\n", "3 cells, the first line names 4 columns", 3),
      ("plain", "H\n1\tP\t?\ta\tb\n", "5 cells", 2),
      ("plain", "H\n1\tP\t\"?\n\n?\"\ta\n\n2\t!!!!\t?\ta\n", "no row of this index", 6),
      ("plain", "H\n1\tPP\t?\ta\n", "not in base64", 2), ("plain", "H\n1\tP=?\t?\ta\n", "not in base64", 2),
      ("plain", "H\n1\t2\t?\ta\n2\t1\t?\ta\n", "no row of this index", 2),
      ("plain", "H\n1\t\t?\ta\n", "no row has a picture", nil),
      ("plain", "H\n1\t['P\t?\ta\n", "no list of texts", 2),
      ("plain", "H\n1\t['P' 'P']\t?\ta\n", "no list of texts", 2),
      ("plain", "H\n1\t['P']]\t?\ta\n", "no list of texts", 2),
      ("plain", "H\n1\t['P', '%']\t?\ta\n", "not in base64", 2),
      ("plain", "H\n1\t['P\\n']\t?\ta\n", "no list of texts", 2),
      ("plain", "H\n\tP\t?\ta\n", "index is empty", 2), ("plain", "H\n1\tP\t\ta\n", "question is empty", 2),
      ("plain", "H\n1\tP\t?\t\n", "answer is empty", 2), ("ChartQA", "H\n1\tP\t?\t[]\n", "empty list", 2),
      ("TextVQA", "H\n1\tP\t?\tyes\n", "several people", 2),
      ("TextVQA", "H\n1\tP\t?\t['yes']\n", "several people", 2),
      ("MCQ", "index\timage\tquestion\tanswer\tA\n1\tP\t?\tb\tx\n", "not a letter", 2),
      ("RefCOCO", "H\n1\tP\t?\t[1, 2, 3]\n", "no right box", 2),
      ("RefCOCO", "index\timage\tquestion\tx1\ty1\tx2\ty2\n1\tP\t?\t1\t2\t3\tfour\n", "not a number", 2),
      ("plain", "H\n1\tP\t?\ta\n2\tP\t\"?\ta\n3\tP\t?\ta\n", "not closed", 3),
      ("plain", "H\n1\tP\t?\u{0}\ta\n", "zero byte", 2), ("plain", "i\u{0}n\u{0}", "zero byte", 1),
    ] as [(String, String, String, Int?)])
  func refused(name: String, table: String, naming: String, line: Int?) throws {
    try withTemporaryFolder { folder in
      let picture = try MadeTable.picture()
      let text = table.replacingOccurrences(of: "H\n", with: "index\timage\tquestion\tanswer\n")
        .replacingOccurrences(of: "P", with: picture)
      let error = try #require(thrown { _ = try MadeTable.open(text, as: name, in: folder) } as? FileError)
      #expect(error.kind == .badData && error.line == line && error.reason.contains(naming), "\(error)")
      #expect(!error.description.contains("\n") && error.description.utf8.count < 1000)
    }
  }

  @Test func bytesThatAreNoText() throws {
    try withTemporaryFolder { folder in
      let picture = try MadeTable.picture()
      let path = folder + "/table.tsv"
      let plain = try #require(Yardstick.named("plain"))
      try write(
        Array("index\timage\tquestion\tanswer\n1\t\(picture)\t".utf8) + [0xFF, 0x09, 0x61, 0x0A], to: path)
      let error = try #require(thrown { _ = try BenchmarkFile(path, plain) } as? FileError)
      #expect(error.line == 2 && error.reason.contains("question is not UTF-8"), "\(error)")
      let gone = thrown { _ = try BenchmarkFile(folder + "/none.tsv", plain) } as? InputError
      #expect(gone?.kind == .noInput)
      #expect(thrown { _ = try BenchmarkFile(folder, plain) } is InputError)
    }
  }

  /// What is in base64 and no picture is told when it is looked at.
  @Test func enormousCells() throws {
    try withTemporaryFolder { folder in
      let head = "index\timage\tquestion\tanswer\n"
      let cell = String(repeating: "AAAA", count: 1 << 20)
      let file = try MadeTable.open(head + "1\t\(cell)\t?\ta\n", as: "plain", in: folder)
      let item = try file.item(file.places[0])
      let error = try #require(thrown { _ = try item.decoded(background: .white) } as? FileError)
      #expect(error.line == 2 && error.reason.contains("its picture"), "\(error)")
    }
  }

  /// A row takes no more memory than it may.
  @Test func longRows() throws {
    try withTemporaryFolder { folder in
      let head = "index\timage\tquestion\tanswer\n"
      let cell = String(repeating: "AAAA", count: 1 << 18)
      let long = thrown {
        _ = try MadeTable.open(head + "1\t\(cell)\t?\ta\n", as: "plain", longestRow: 1 << 19, in: folder)
      }
      #expect((long as? FileError)?.line == 2, "\(String(describing: long))")
      // A quotation mark too many does not make one cell of the rest of a large file.
      let open = thrown {
        _ = try MadeTable.open(head + "1\t\"\(cell)\n\(cell)\n", as: "plain", longestRow: 1 << 19, in: folder)
      }
      #expect((open as? FileError)?.reason.contains("over 524288 bytes") == true)
      let text = thrown {
        _ = try MadeTable.open(head + "1\tx\t?\t\(cell)A\n", as: "plain", in: folder)
      }
      #expect(
        (text as? FileError)?.reason.contains("answer is over 1 MiB") == true, "\(String(describing: text))")
    }
  }

  /// A file that changes while its questions are asked ends them.
  @Test func changedFile() throws {
    try withTemporaryFolder { folder in
      let text = MadeTable.text([
        ["index", "image", "question", "answer"], ["1", try MadeTable.picture(), "?", "a"],
      ])
      let file = try MadeTable.open(text, as: "plain", in: folder)
      _ = try file.item(file.places[0])
      try write((text + "2").utf8, to: folder + "/table.tsv")
      #expect(throws: FileError.self) { try file.item(file.places[0]) }
    }
  }
}
