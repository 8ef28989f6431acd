import Foundation
import TestModels
import TestSupport
import Testing

/// `vl2 batch --server` as a program, held against `vl2 batch` with the same model.
@Suite struct BatchServerCommandTests {
  private let vl2 = Tool("vl2")

  private func line(_ id: String, _ text: String, _ pictures: [String] = [], _ more: [String: Any] = [:])
    throws
    -> String
  {
    let parts: [[String: Any]] =
      [["type": "text", "text": text]] + pictures.map { ["type": "image_url", "image_url": ["url": $0]] }
    let body: [String: Any] = ["messages": [["role": "user", "content": parts]], "max_tokens": 3].merging(
      more
    ) { $1 }
    return try jsonText(
      ["custom_id": id, "method": "POST", "url": "/v1/chat/completions", "body": body] as [String: Any])
  }

  /// Lines of all sorts, with pictures that are sent and named, good and bad.
  private func write(below folder: String) throws {
    let files = FileManager.default
    try TestSupport.write(["/own/text.jpg": "no picture", "/own/empty.jpg": ""], below: folder)
    let small = Fixtures.path("golden/images/small.png")
    try files.copyItem(atPath: small, toPath: folder + "/own/small.png")
    try files.createSymbolicLink(atPath: folder + "/own/link.png", withDestinationPath: small)
    try TestSupport.write([0xFF, 0xD8, 0xFF], to: folder + "/own/large.jpg")
    #expect(truncate(folder + "/own/large.jpg", 300 << 20) == 0)
    let names = [
      "small.png", "text.jpg", "empty.jpg", "none.jpg", "link.png", "../x.png", "large.jpg", "/etc/passwd",
      "",
      "file:%zz", folder + "/own/small.png", "data:;base64,AAAA", "data:", "http://127.0.0.1/a.jpg",
    ]
    var lines = try names.enumerated().map { try line("picture \($0)", "What?", [$1]) }
    lines += ["no JSON", "", try line("warm", "What?", [], ["temperature": 1, "max_tokens": 9])]
    lines += try (0..<12).map { try line("text \($0)", "What is \($0)?") }
    lines += try [line("text 3", "Again?"), line("stream", "What?", [], ["stream": true])]
    try TestSupport.write(lines.joined(separator: "\n").utf8, to: folder + "/in.jsonl")
  }

  @Test func sameBytes() throws {
    try withTemporaryFolder { folder in
      try write(below: folder)
      let (input, output) = (folder + "/in.jsonl", folder + "/out.jsonl")
      let whole = try vl2.run([
        "batch", "--model", try PackedModels.path("nano-mha", .q4), input, "-o", folder + "/whole.jsonl",
        "--images", folder + "/own",
      ])
      #expect(whole.status == 65)
      let expected = try bytes(of: folder + "/whole.jsonl")
      try TestSupport.write("# mine\nsesame\n".utf8, to: folder + "/keys")
      let server = try RunningServer(
        ["--api-key-file", folder + "/keys", "--deadline", "86400", "--queue", "1"], in: folder)
      func ask(_ more: [String]) throws -> ToolRun {
        try vl2.run(
          [
            "batch", "--server", "http://127.0.0.1:\(server.port)/v1", "--api-key-file", folder + "/keys",
            input,
            "-o", output, "--images", folder + "/own",
          ] + more)
      }
      // One more at a time than the server has places for, and one after the other.
      for more in [["--concurrency", "5"], ["--concurrency", "1"]] {
        let run = try ask(more)
        let isSame = try bytes(of: output) == expected
        #expect(run.status == 65 && run.output.isEmpty && isSame, "\(run)")
        #expect(run.errors.contains("lines could not be answered, and say why"), "\(run.errors)")
        try FileManager.default.removeItem(atPath: output)
      }
      // What an earlier run has left, with a server or without one.
      let ends = expected.indices.filter { expected[$0] == 0x0A }
      for cut in [1, ends[2] + 7, ends[5], ends[ends.count - 2] + 1, expected.count] {
        try TestSupport.write(expected.prefix(cut), to: output)
        let run = try ask(["--resume"])
        let isSame = try bytes(of: output) == expected
        #expect(run.status == 65 && isSame, "\(cut): \(run)")
      }
      // Parts.
      var joined: [UInt8] = []
      for part in 1...3 {
        try FileManager.default.removeItem(atPath: output)
        #expect([0, 65].contains(try ask(["--shard", "\(part)/3"]).status))
        joined += try bytes(of: output)
      }
      #expect(joined == expected)
      #expect(server.end() == 0)
      #expect(!server.lines.contains("sesame"))
      // Nobody is there any more.
      let gone = try ask(["--resume", "--retries", "0"])
      expectFailure(
        gone, status: 69, naming: "cannot be reached: connection refused; check that vl2 serve runs there")
      // Lines that no server had answered are kept as they are.
      let unanswered =
        String(decoding: expected.prefix(through: ends[0]), as: UTF8.self).split(separator: "\"response\"")[0]
        + "\"response\":null,\"error\":{\"code\":\"no_answer\",\"message\":\"x\"}}\n"
      try TestSupport.write(Array(unanswered.utf8) + expected[(ends[0] + 1)...], to: output)
      let kept = try bytes(of: output)
      let resumed = try vl2.run([
        "batch", "--model", try PackedModels.path("nano-mha", .q4), input, "-o", output, "--images",
        folder + "/own", "--resume",
      ])
      let isKept = try bytes(of: output) == kept
      #expect(resumed.status == 65 && isKept, "\(resumed)")
    }
  }

  /// A signal ends it while it waits for a server.
  @Test func interrupted() throws {
    try withTemporaryFolder { folder in
      try TestSupport.write(line("a", "What?").utf8, to: folder + "/in.jsonl")
      // It takes connections, and never says a word.
      let silent = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      defer { close(silent) }
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let port = withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer -> UInt16 in
          guard bind(silent, pointer, length) == 0, listen(silent, 8) == 0 else { return 0 }
          getsockname(silent, pointer, &length)
          return pointer.withMemoryRebound(to: sockaddr_in.self, capacity: 1) {
            UInt16(bigEndian: $0.pointee.sin_port)
          }
        }
      }
      try #require(port != 0)
      let process = try vl2.start([
        "batch", "--server", "http://127.0.0.1:\(port)", folder + "/in.jsonl", "-o", folder + "/out.jsonl",
      ])
      let connection = accept(silent, nil, nil)
      defer { close(connection) }
      kill(process.processIdentifier, SIGTERM)
      process.waitUntilExit()
      #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == SIGTERM)
    }
  }

  @Test func refusals() throws {
    try withTemporaryFolder { folder in
      let input = folder + "/in.jsonl"
      try TestSupport.write(line("a", "What?").utf8, to: input)
      try TestSupport.write([], to: folder + "/empty")
      let server = ["--server", "http://127.0.0.1:1"]
      for (more, status, part) in [
        (["--server", "https://127.0.0.1"], 64, "https is not spoken here"),
        (["--server", "127.0.0.1:11434"], 64, "is no http:// address"),
        (server + ["--model", "x.vl2q"], 64, "--model with --server"),
        (server + ["--max-tiles", "3"], 64, "--max-tiles with --server"),
        (server + ["--alias", "a"], 64, "--alias with --server"),
        (server + ["--exact"], 64, "--exact with --server"),
        (server + ["--background", "black"], 64, "--background with --server"),
        (server + ["--concurrency", "0"], 64, "--concurrency 0: give a number from 1 to 256"),
        (server + ["--timeout", "0"], 64, "--timeout 0.0: give seconds"),
        (server + ["--retries", "-1"], 64, "--retries -1: give a number"),
        (server + ["--api-key-file", folder + "/none"], 66, "none: no such file"),
        (server + ["--api-key-file", folder + "/empty"], 65, "no key in it"),
        (server + ["--retries", "0"], 69, "http://127.0.0.1:1: cannot be reached: connection refused"),
        (["--model", "x.vl2q", "--concurrency", "2"], 64, "--concurrency goes with --server"),
        (["--model", "x.vl2q", "--api-key-file", "x"], 64, "--api-key-file goes with --server"),
      ] as [([String], Int32, String)] {
        expectFailure(
          try vl2.run(["batch", input, "-o", folder + "/out.jsonl"] + more), status: status, naming: part,
          more)
      }
      #expect(!FileManager.default.fileExists(atPath: folder + "/out.jsonl"))
    }
  }
}
