import Foundation
import SystemSupport
import TestModels
import TestSupport
import Testing
import VL2Quant

/// `vl2 serve` as a program: how it begins, says that it is there, and ends.
@Suite struct ServeCommandTests {
  private let vl2 = Tool("vl2")

  private func start(_ words: [String], in folder: String, environment: [String: String] = [:]) throws
    -> RunningServer
  {
    try RunningServer(words, in: folder, environment: environment)
  }

  private func question(_ tokens: Int, stream: Bool = false) throws -> String {
    try jsonText([
      "messages": [["role": "user", "content": "secret words"]], "max_tokens": tokens, "stream": stream,
      "temperature": 1, "seed": 1,
    ])
  }

  @Test func servesAndEnds() throws {
    try withTemporaryFolder { folder in
      let server = try start(["--alias", "kiosk"], in: folder)
      #expect(server.lines.contains("vl2: serving kiosk at http://127.0.0.1:\(server.port)\n"))
      let connection = try HTTPConnection(port: server.port)
      connection.request("POST", "/v1/chat/completions", body: try question(5))
      let reply = try #require(try connection.reply())
      #expect(reply.status == 200)
      #expect(try reply.object()["model"] as? String == "kiosk")
      // A second server at the same port says what is in the way.
      let second = try vl2.run([
        "serve", "--model", try PackedModels.path("nano-mha", .q4), "--demo", "--port", "\(server.port)",
      ])
      expectFailure(
        second, status: 69, naming: "127.0.0.1:\(server.port): another program listens there; stop it")
      #expect(server.end() == 0)
      #expect(server.lines.contains("127.0.0.1 POST /v1/chat/completions: max_tokens, 0 pictures"))
      #expect(!server.lines.contains("secret"))
    }
  }

  /// Ctrl-C and SIGTERM let the answer end that is being written.
  @Test(arguments: [SIGTERM, SIGINT]) func endsAfterTheAnswer(signal: Int32) throws {
    try withTemporaryFolder { folder in
      let server = try start([], in: folder)
      let connection = try HTTPConnection(port: server.port)
      connection.request("POST", "/v1/chat/completions", body: try question(100, stream: true))
      try connection.wait(for: 300)
      #expect(server.end(signal) == 0)
      #expect(try connection.reply()?.events.last == "[DONE]")
    }
  }

  /// systemd is told that the server is ready, that it lives, and that it ends.
  @Test func serviceManager() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/notify"
      let socket = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
      defer { close(socket) }
      var address = sockaddr_un()
      address.sun_family = sa_family_t(AF_UNIX)
      withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
      let isBound = withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          bind(socket, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0
        }
      }
      try #require(isBound)
      func message() -> String {
        var bytes = [UInt8](repeating: 0, count: 100)
        let count = recv(socket, &bytes, bytes.count, 0)
        return String(decoding: bytes.prefix(max(0, count)), as: UTF8.self)
      }
      let server = try start(
        [], in: folder, environment: ["NOTIFY_SOCKET": path, "WATCHDOG_USEC": "400000"])
      #expect(message() == "READY=1")
      // An idle server is one that lives.
      #expect(message() == "WATCHDOG=1")
      #expect(message() == "WATCHDOG=1")
      #expect(server.end() == 0)
      var last = message()
      while last == "WATCHDOG=1" { last = message() }
      #expect(last == "STOPPING=1")
    }
  }

  /// The model's file is in the page cache once the server says that it is ready, also where it knows how fast this machine
  /// is and measures nothing; with `--no-read-ahead` it is ready all the same.
  @Test func readsTheModelFirst() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/copy.vl2q"
      try FileManager.default.copyItem(atPath: try PackedModels.path("nano-mha", .q4), toPath: model)
      let descriptor = open(model, O_RDONLY)
      defer { close(descriptor) }
      let cache = ["XDG_CACHE_HOME": folder]
      let first = try RunningServer([], in: folder, model: model, environment: cache)
      #expect(first.end() == 0)
      #expect(FileManager.default.fileExists(atPath: folder + "/vl2/speeds.json"))
      let sections = try PackedFile(path: model).manifest.sections
      for words in [["--no-read-ahead"], []] {
        fsync(descriptor)
        vl2_drop_cached(descriptor, 0, 0)
        let server = try RunningServer(words, in: folder, model: model, environment: cache)
        if words.isEmpty {
          for entry in sections {
            let last = Int64(entry.offset + entry.storedLength - 1)
            #expect(vl2_is_cached(descriptor, last) != 0, "\(entry.name)")
          }
        }
        let connection = try HTTPConnection(port: server.port)
        connection.request("POST", "/v1/chat/completions", body: try question(3))
        #expect(try connection.reply()?.status == 200)
        #expect(server.end() == 0)
      }
    }
  }

  @Test func keysAndAddresses() throws {
    try withTemporaryFolder { folder in
      let keys = folder + "/keys"
      try write("sesame\n".utf8, to: keys)
      let server = try start(["--host", "0.0.0.0", "--api-key-file", keys], in: folder)
      let connection = try HTTPConnection(port: server.port)
      connection.request("GET", "/v1/models")
      #expect(try connection.reply()?.status == 401)
      let known = try HTTPConnection(port: server.port)
      known.request("GET", "/v1/models", headers: ["Authorization: Bearer sesame"])
      #expect(try known.reply()?.status == 200)
      #expect(server.end() == 0)
      #expect(!server.lines.contains("sesame"))
    }
  }

  @Test func refusals() throws {
    let model = ["serve", "--model", try PackedModels.path("nano-mha", .q4)]
    for (words, status, part) in [
      (["--demo", "--host", "0.0.0.0"], 64, "--host 0.0.0.0 lets other machines ask: give --api-key-file"),
      (["--demo", "--host", "example.org"], 64, "--host example.org: give an address"),
      (["--demo", "--allow", "10.0.0.0/33"], 64, "--allow 10.0.0.0/33: give an address"),
      (["--demo", "--api-key-file", "/none"], 66, "/none: no such file"),
      (["--demo", "--no-auth", "--api-key-file", "/none"], 64, "leave one of them out"),
      (["--demo", "--port", "70000"], 64, "70000"), (["--demo", "--queue", "-1"], 64, "--queue -1"),
      (["--demo", "--deadline", "0"], 64, "--deadline 0.0: give seconds"),
      (
        ["--demo", "--host", "203.0.113.1", "--no-auth", "--port", "0"], 69,
        "this machine does not have this address"
      ),
    ] as [([String], Int32, String)] {
      expectFailure(try vl2.run(model + words), status: status, naming: part, words)
    }
    expectFailure(
      try vl2.run(["serve", "--model", "/none", "--port", "0"]), status: 66, naming: "/none: no such file")
    // pocket knows nothing: nobody is to take its answers for more by mistake.
    expectFailure(
      try vl2.run(["serve", "--model", try PackedModels.pocket(), "--port", "0"]), status: 64,
      naming: "give --demo")
  }
}
