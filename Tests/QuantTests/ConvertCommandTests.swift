import Foundation
import TestSupport
import Testing
import VL2Quant

/// `vl2-convert` as a user meets it: output, exit status, one line for each error, nothing lost.
@Suite struct ConvertCommandTests {
  private let tool = Tool("vl2-convert")
  private let golden = Fixtures.path("golden/checkpoints/nano-mha")

  /// One line on standard error that names `part`, nothing on standard output.
  private func expectFailure(
    _ run: ToolRun, status: Int32, naming part: String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    #expect(run.status == status, "\(run.errors)", sourceLocation: sourceLocation)
    #expect(run.output.isEmpty, sourceLocation: sourceLocation)
    #expect(run.errors.hasPrefix("vl2-convert: "), "\(run.errors)", sourceLocation: sourceLocation)
    #expect(run.errors.contains(part), "\(run.errors)", sourceLocation: sourceLocation)
    #expect(run.errors.split(separator: "\n").count == 1, "\(run.errors)", sourceLocation: sourceLocation)
  }

  @Test func packInspectVerifyDequantize() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      let pack = try tool.run(["pack", golden, "-o", model, "--weights", "int8", "--threads", "3"])
      #expect(pack.status == 0, "\(pack.errors)")
      // Nothing but the file: progress belongs on a terminal.
      #expect(pack.output.isEmpty && pack.errors.isEmpty)
      let file = try PackedFile(path: model)
      #expect(try file.manifest.sections == sections(golden, .int8))
      #expect(file.manifest.origin.tool.hasPrefix("vl2-convert "))

      let verify = try tool.run(["verify", model])
      #expect(verify.status == 0)
      #expect(verify.output == "\(model): \(file.manifest.sections.count) sections, all good\n")
      #expect(verify.errors.isEmpty)

      let inspect = try tool.run(["inspect", model])
      #expect(inspect.status == 0)
      for part in ["nano-mha", "experts", "int8", "vision.attn_pool.latent", "* int8", "share"] {
        #expect(inspect.output.contains(part), "\(part)")
      }

      let back = try tool.run(["dequantize", model, "-o", folder + "/back"])
      #expect(back.status == 0, "\(back.errors)")
      #expect(try Checkpoint(folder: folder + "/back").config == file.config)
    }
  }

  @Test func inspectTellsWhatADemonstrationModelSays() throws {
    try withTemporaryFolder { folder in
      var copy = try CheckpointCopy()
      try copy.changeJSON("config.json") { $0["vl2_demonstration"] = "I know nine pictures." }
      try copy.write(to: folder + "/nine")
      let model = folder + "/nine.vl2q"
      #expect(try tool.run(["pack", folder + "/nine", "-o", model]).status == 0)
      #expect(
        try tool.run(["inspect", model]).output.contains("demonstration model: I know nine pictures.\n"))
      let json = try tool.run(["inspect", model, "--json"]).output
      #expect(json.contains("\"demonstrationNote\" : \"I know nine pictures.\""))
    }
  }

  @Test func inspectJSON() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      #expect(try tool.run(["pack", golden, "-o", model]).status == 0)
      let run = try tool.run(["inspect", model, "--json"])
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
      let length = try FileManager.default.attributesOfItem(atPath: model)[.size] as? Int
      #expect(object["bytes"] as? Int == length)
      #expect(object["formatVersion"] as? Int == PackedFile.formatVersion)
      let origin = try #require(object["origin"] as? [String: Any])
      #expect(origin["source"] as? String == "nano-mha")
      let codes = try #require(object["codes"] as? [[String: Any]])
      let experts = try #require(codes.first { $0["part"] as? String == "experts" })
      #expect(experts["code"] as? String == "q4")
      #expect(experts["tensors"] as? Int == 48)
      #expect(experts["weights"] as? Int == 48 * 96 * 128)
      let error = try #require(experts["errorPPM"] as? Int)
      #expect((10_000..<76_400).contains(error))
      let sections = try #require(object["sections"] as? [[String: Any]])
      let names = try PackedFile(path: model).manifest.sections.map(\.name)
      #expect(sections.map { $0["name"] as? String } == names)
      let total = codes.compactMap { $0["weights"] as? Int }.reduce(0, +)
      #expect(object["weights"] as? Int == total)
    }
  }

  @Test func compressedSections() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      let run = try tool.run(["pack", golden, "-o", model, "--weights", "bf16", "--sections", "zstd"])
      #expect(run.status == 0, "\(run.errors)")
      let encodings = try PackedFile(path: model).manifest.sections.map(\.encoding)
      #expect(encodings.contains(.zstd))
      #expect(try tool.run(["verify", model]).status == 0)
    }
  }

  @Test func unexpectedTensorsGetAWord() throws {
    try withTemporaryFolder { folder in
      var copy = try CheckpointCopy()
      copy.tensors.append(.init(name: "extra", type: "I8", shape: [3], bytes: [1, 2, 3]))
      try copy.write(to: folder + "/model")
      let run = try tool.run(["pack", folder + "/model", "-o", folder + "/model.vl2q"])
      #expect(run.status == 0)
      #expect(
        run.errors == "vl2-convert: \(folder)/model: extra is used by no forward pass and was left out\n")
    }
  }

  @Test func usage() throws {
    for words in [
      ["pack"], ["pack", golden], ["pack", golden, "-o", "x", "--weights", "q3"], ["what"],
      ["pack", golden, "-o", "x", "--threads", "0"], ["pack", golden, "-o", "x", "--sections", "gzip"],
      ["synthesize", "huge", "-o", "x"], ["inspect"], ["dequantize", "x", "-o", "y", "--threads", "9999"],
    ] {
      let run = try tool.run(words)
      #expect(run.status == 64, "\(words)")
      #expect(!run.errors.isEmpty)
    }
    let version = try tool.run(["--version"])
    #expect(version.status == 0)
    #expect(version.output.split(separator: ".").count == 3)
  }

  @Test func failures() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      let missing = folder + "/missing"
      expectFailure(try tool.run(["pack", missing, "-o", model]), status: 66, naming: missing)
      expectFailure(try tool.run(["inspect", missing]), status: 66, naming: missing)
      expectFailure(try tool.run(["verify", missing]), status: 66, naming: missing)
      expectFailure(
        try tool.run(["dequantize", missing, "-o", folder + "/back"]), status: 66, naming: missing)
      expectFailure(
        try tool.run(["pack", golden, "-o", missing + "/model.vl2q"]), status: 74,
        naming: missing + "/model.vl2q")
      expectFailure(
        try tool.run(["inspect", golden + "/config.json"]), status: 65, naming: "not a packed model")
      expectFailure(
        try tool.run(["synthesize", "tiny", "-o", model, "--tokenizer", missing]), status: 66, naming: missing
      )

      #expect(try tool.run(["pack", golden, "-o", model]).status == 0)
      expectFailure(
        try tool.run(["dequantize", model, "-o", folder]), status: 64, naming: "not an empty folder")
      var bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: model)))
      let entry = try #require(
        PackedFile(path: model).manifest.sections.first { $0.name == "layer.1.expert.5" })
      bytes[entry.offset + 1234] ^= 4
      try CheckpointCopy.write(bytes, to: model)
      expectFailure(
        try tool.run(["verify", model]), status: 65, naming: "section layer.1.expert.5 is damaged")
      expectFailure(
        try tool.run(["dequantize", model, "-o", folder + "/back"]), status: 65, naming: "layer.1.expert.5")
      #expect(!FileManager.default.fileExists(atPath: folder + "/back"))
    }
  }

  // MARK: - The old file or the new one, never half of one

  /// Starts a long run that replaces a file, and hands it over once it writes.
  private func whileWriting(_ folder: String, _ body: (Process) throws -> Void) throws {
    try CheckpointCopy.write(Array("old".utf8), to: folder + "/model.vl2q")
    let process = try tool.start(["synthesize", "tiny", "-o", folder + "/model.vl2q", "--threads", "1"])
    defer { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }
    func isWriting() throws -> Bool {
      let parts = try FileManager.default.contentsOfDirectory(atPath: folder).filter { $0.hasSuffix(".part") }
      return try parts.contains {
        try FileManager.default.attributesOfItem(atPath: folder + "/" + $0)[.size] as? Int ?? 0 > 1 << 20
      }
    }
    let clock = ContinuousClock()
    let deadline = clock.now + .seconds(120)
    while try !isWriting(), process.isRunning, clock.now < deadline { usleep(2000) }
    #expect(process.isRunning)
    try body(process)
    process.waitUntilExit()
    let length = try FileManager.default.attributesOfItem(atPath: folder + "/model.vl2q")[.size] as? Int
    #expect(length == 3)
  }

  @Test func killedWhilePacking() throws {
    try withTemporaryFolder { folder in
      try whileWriting(folder) { kill($0.processIdentifier, SIGKILL) }
    }
  }

  @Test(arguments: [SIGINT, SIGTERM])
  func interruptedWhilePacking(_ signal: Int32) throws {
    try withTemporaryFolder { folder in
      try whileWriting(folder) { process in
        kill(process.processIdentifier, signal)
        process.waitUntilExit()
        #expect(process.terminationReason == .uncaughtSignal)
        #expect(process.terminationStatus == signal)
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["model.vl2q"])
    }
  }

  /// A limit on the size of files stands for a full disk: writing fails in the middle.
  @Test func noRoomWhilePacking() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      try CheckpointCopy.write(Array("old".utf8), to: model)
      let run = try tool.run(["pack", golden, "-o", model], largestFile: 300 * 1024)
      expectFailure(run, status: 74, naming: "\(model): cannot be written: File too large")
      #expect(try Data(contentsOf: URL(fileURLWithPath: model)) == Data("old".utf8))
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["model.vl2q"])

      #expect(try tool.run(["pack", golden, "-o", model]).status == 0)
      let back = try tool.run(["dequantize", model, "-o", folder + "/back"], largestFile: 300 * 1024)
      expectFailure(back, status: 74, naming: "cannot be written: File too large")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["model.vl2q"])
    }
  }
}
