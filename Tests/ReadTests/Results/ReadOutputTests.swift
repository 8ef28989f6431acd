import Foundation
import TestSupport
import Testing
import VL2Base
import VL2Read

@Suite struct ReadOutputTests {
  private let pieces = (0..<6).map { "piece \($0)\n" + String(repeating: "x", count: 37 * $0) + "\n" }

  private func work(_ folder: String, settings: [String] = ["a"]) throws -> ReadWork {
    try write("the input".utf8, to: folder + "/in")
    return ReadWork(inputs: [try ReadWork.Input(folder + "/in")], settings: settings)
  }

  private func put(_ output: ReadOutput, upTo end: Int) throws {
    while output.pieces < end { try output.write(pieces[output.pieces], isFailure: output.pieces == 2) }
  }

  @Test func whole() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/out.md"
      let output = try ReadOutput(path, try work(folder), head: "head\n", resumes: false)
      try put(output, upTo: 6)
      #expect(!FileManager.default.fileExists(atPath: path))
      try output.finish()
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "head\n" + pieces.joined())
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["in", "out.md"])
      // Nothing is left to go on with.
      #expect(
        reported { _ = try ReadOutput(path, try work(folder), head: "head\n", resumes: true) } as? ReadError
          == .nothingToResume(path: path))
    }
  }

  /// Whatever a kill or a power cut left of both files, the result is complete and nothing is in it twice.
  @Test func everyCut() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/out.md"
      let files = ReadOutput.files(path)
      let complete = "head\n" + pieces.joined()
      try put(try ReadOutput(path, try work(folder), head: "head\n", resumes: false), upTo: 4)
      let (part, journal) = (try bytes(of: files[0]), try bytes(of: files[1]))
      for cut in 0...journal.count {
        for tail in [part, Array(part.prefix(part.count * cut / journal.count)), part + Array("torn".utf8)] {
          try write(journal.prefix(cut), to: files[1])
          try write(tail, to: files[0])
          do {
            let output = try ReadOutput(path, try work(folder), head: "head\n", resumes: true)
            #expect(output.pieces <= 4 && (output.failures == 1) == (output.pieces > 2))
            try put(output, upTo: 6)
            try output.finish()
            #expect(try String(contentsOfFile: path, encoding: .utf8) == complete, "\(cut)")
          } catch ReadError.nothingToResume {
            // Its first line is not whole, so nobody knows what was read.
            #expect(!journal.prefix(cut).contains(10) && cut > 0)
          }
          try? FileManager.default.removeItem(atPath: path)
        }
      }
    }
  }

  /// What is kept for a piece is there until the piece is, wherever work was cut off.
  @Test func everyCutOfWhatIsKept() throws {
    let pages: [PageContent] = [.text("one\n\u{1}\"é"), .blank, .failed("torn"), .text("last")]
    // Two pages for each of two pieces.
    func goOn(_ output: ReadOutput, upTo end: Int) throws {
      while output.pieces < 2, 2 * output.pieces + output.kept.count < end {
        if output.kept.count == 2 {
          #expect(output.kept == Array(pages[2 * output.pieces..<2 * output.pieces + 2]))
          try output.write(pieces[output.pieces])
        } else {
          try output.keep(pages[2 * output.pieces + output.kept.count])
        }
      }
    }
    try withTemporaryFolder { folder in
      let path = folder + "/out.jsonl"
      let files = ReadOutput.files(path)
      func begin() throws {
        let begun = try ReadOutput(path, try work(folder), head: "", resumes: false)
        try goOn(begun, upTo: 4)
        #expect(begun.pieces == 1 && begun.kept == [pages[2], pages[3]] && begun.failures == 1)
      }
      try begin()
      let (part, journal) = (try bytes(of: files[0]), try bytes(of: files[1]))
      let first = try #require(journal.firstIndex(of: 10))
      var most = 0
      for cut in Array(stride(from: first + 1, to: journal.count, by: 5)) + [journal.count] {
        try write(journal.prefix(cut), to: files[1])
        try write(part, to: files[0])
        let output = try ReadOutput(path, try work(folder), head: "", resumes: true)
        let there = 2 * output.pieces + output.kept.count
        #expect(there >= most && (output.failures == 1) == (there > 2))
        most = there
        try goOn(output, upTo: .max)
        try output.finish()
        #expect(try String(contentsOfFile: path, encoding: .utf8) == pieces[0] + pieces[1], "\(cut)")
        try FileManager.default.removeItem(atPath: path)
      }
      #expect(most == 4)
      // Nothing but what was kept is on the disk yet: that is something to go on with.
      func beginAgain() throws {
        try ReadOutput(path, try work(folder), head: "", resumes: false).keep(pages[0])
      }
      try beginAgain()
      let again = try ReadOutput(path, try work(folder), head: "", resumes: true)
      #expect(again.pieces == 0 && again.kept == [pages[0]])
    }
  }

  @Test func otherWork() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/out.md"
      try put(try ReadOutput(path, try work(folder), head: "", resumes: false), upTo: 2)
      func refusal(_ work: ReadWork) -> ReadError? {
        reported { _ = try ReadOutput(path, work, head: "", resumes: true) } as? ReadError
      }
      #expect(refusal(try work(folder, settings: ["b"])) == .otherWork(path: path, what: "options"))
      try write("another input".utf8, to: folder + "/other")
      let other = ReadWork(inputs: [try ReadWork.Input(folder + "/other")], settings: ["a"])
      #expect(refusal(other) == .otherWork(path: path, what: "files"))
      #expect(refusal(try work(folder)) == nil)
    }
  }

  /// Work that ends before its first piece leaves nothing, and takes nothing from who is at work.
  @Test func nothingDone() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/out.md"
      _ = try ReadOutput(path, try work(folder), head: "head\n", resumes: false)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["in"])
    }
  }

  @Test func twoAtATime() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/out.md"
      let first = try ReadOutput(path, try work(folder), head: "", resumes: false)
      for resumes in [false, true] {
        #expect(
          reported { _ = try ReadOutput(path, try work(folder), head: "", resumes: resumes) } as? ReadError
            == .inUse(path: path))
      }
      try put(first, upTo: 6)
      try first.finish()
      #expect(try String(contentsOfFile: path, encoding: .utf8) == pieces.joined())
    }
  }

  /// Files of others that stand where unfinished work would be are left alone.
  @Test func othersFiles() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/out.md"
      for file in ReadOutput.files(path) {
        try write("precious".utf8, to: file)
        let error = reported { try ReadOutput.check(path, PageFormat.markdown.kind, reading: []) }
        #expect(error?.kind == .usage && error?.problem.hasPrefix(file) == true, "\(file)")
        #expect(try String(contentsOfFile: file, encoding: .utf8) == "precious")
        try FileManager.default.removeItem(atPath: file)
        try FileManager.default.createSymbolicLink(atPath: file, withDestinationPath: folder + "/elsewhere")
        #expect(
          reported { try ReadOutput.check(path, PageFormat.markdown.kind, reading: []) }?.kind == .usage)
        try FileManager.default.removeItem(atPath: file)
      }
      // What is read is no place for unfinished work either.
      try write("input".utf8, to: folder + "/out.md.part")
      let error = reported {
        try ReadOutput.check(path, PageFormat.markdown.kind, reading: [folder + "/out.md.part"])
      }
      #expect(error?.problem.contains("this command reads it") == true)
    }
  }

  @Test func formats() {
    let text = PageContent.text("a, \"b\"\n1,2")
    #expect(PageFormat.markdown.page(3, of: nil, text) == "<!-- page 3 -->\n\na, \"b\"\n1,2\n\n")
    #expect(PageFormat.markdown.page(3, of: "a-->\n.pdf", .blank) == "<!-- a- -> .pdf, page 3 -->\n\n")
    #expect(PageFormat.text.page(3, of: "a.pdf", text).hasPrefix("[a.pdf, page 3]\n\n"))
    #expect(PageFormat.json.page(3, of: nil, .value(["a": 1])) == #"{"page":3,"data":{"a":1}}"# + "\n")
    #expect(PageFormat.json.page(3, of: "a", .failed("b")) == #"{"file":"a","page":3,"error":"b"}"# + "\n")
    #expect(
      PageFormat.json.page(3, of: nil, .value([], isCut: true)) == #"{"page":3,"cut":true,"data":[]}"# + "\n")
    #expect(
      PageFormat.document(3...3, of: "a", .value(1), notRead: [])
        == #"{"file":"a","pages":"3","data":1}"# + "\n")
    #expect(
      PageFormat.document(3...12, of: nil, .failed("b"), notRead: [4, 12])
        == #"{"pages":"3-12","not_read":[4,12],"error":"b"}"# + "\n")
    #expect(PageFormat.csv.page(3, of: nil, text) == "3,a,b\n3,1,2\n")
    #expect(PageFormat.csv.page(3, of: "a,b", .text("1")) == "\"a,b\",3,1\n")
  }
}
