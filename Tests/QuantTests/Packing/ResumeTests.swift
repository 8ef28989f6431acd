import Foundation
import Synchronization
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// Packing that is cut off and goes on: the bytes are those of a run that was not.
@Suite struct ResumeTests {
  private struct Interruption: Error {}

  /// Ends packing at a given call of its check.
  private final class Countdown: Sendable {
    private let left: Mutex<Int>
    init(_ count: Int) { left = Mutex(count) }
    func check() throws {
      try left.withLock { left in
        left -= 1
        if left < 0 { throw Interruption() }
      }
    }
    /// Calls that were left.
    var rest: Int { left.withLock { $0 } }
  }

  private static let golden = Fixtures.checkpoint("nano-mha")

  private func packer(
    _ unfinished: ModelPacker.Unfinished, checks: Countdown? = nil, _ weights: WeightCode = .q4,
    compression: PackedSection.Compression = .never, threads: Int = 3, tool: String = "test"
  ) -> ModelPacker {
    var packer = ModelPacker(
      recipe: Recipe(matrices: weights), compression: compression, threads: threads, tool: tool)
    packer.unfinished = unfinished
    if let checks { packer.check = checks.check }
    return packer
  }

  private func pack(_ packer: ModelPacker, _ path: String, from folder: String = golden) throws {
    try packer.pack(try Checkpoint(folder: folder), to: path)
  }

  private func names(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  @Test(arguments: [PackedSection.Compression.never, .whereUseful])
  func twentyRandomInterruptions(_ compression: PackedSection.Compression) throws {
    var random = SplitMix64(seed: compression == .never ? 1 : 2)
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      let all = Countdown(1 << 30)
      try pack(packer(.keep, checks: all, compression: compression), model)
      let whole = try bytes(of: model)
      #expect(try names(folder) == ["model.vl2q"])
      var wasKept = 0
      for round in 0..<20 {
        try FileManager.default.removeItem(atPath: model)
        let point = Int.random(in: 0..<((1 << 30) - all.rest), using: &random)
        // How far one thread is at a point does not depend on how busy the machine is.
        let threads = round % 2 == 0 ? 1 : 3
        #expect(throws: Interruption.self) {
          try pack(
            packer(.keep, checks: Countdown(point), compression: compression, threads: threads), model)
        }
        #expect(!FileManager.default.fileExists(atPath: model))
        let isKept = try names(folder) == ["model.vl2q.part", "model.vl2q.part.journal"]
        wasKept += isKept && threads == 1 ? 1 : 0
        // Another number of threads may go on, and be interrupted itself, unless little was left.
        let again = thrown {
          try pack(packer(.resume, checks: Countdown(20), compression: compression, threads: 1), model)
        }
        #expect(again == nil || again is Interruption)
        try pack(packer(.resume, compression: compression, threads: 2), model)
        #expect(try bytes(of: model) == whole, "interrupted at \(point)")
        #expect(try names(folder) == ["model.vl2q"])
      }
      #expect(wasKept > 5)
    }
  }

  /// A power cut: the journal and the bytes it speaks of reached the disk up to any place, or as zeros.
  @Test func whatDidNotReachTheDisk() throws {
    var random = SplitMix64(seed: 3)
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      let all = Countdown(1 << 30)
      try pack(packer(.keep, checks: all), model)
      let whole = try bytes(of: model)
      try FileManager.default.removeItem(atPath: model)
      #expect(throws: Interruption.self) {
        try pack(packer(.keep, checks: Countdown((1 << 30) - all.rest - 10)), model)
      }
      let (part, journal) = (model + ".part", model + ".part.journal")
      let (written, lines) = (try bytes(of: part), try bytes(of: journal))
      for round in 0..<30 {
        var (written, lines) = (written, lines)
        switch round % 5 {
        case 0: written = Array(written.prefix(Int.random(in: 0...written.count, using: &random)))
        case 1: lines = Array(lines.prefix(Int.random(in: 0...lines.count, using: &random)))
        case 2: lines[Int.random(in: 0..<lines.count, using: &random)] ^= 1
        case 3:
          let start = Int.random(in: 0..<written.count, using: &random)
          for index in start..<min(written.count, start + 70_000) { written[index] = 0 }
        default: written += [UInt8](repeating: 7, count: 100_000)
        }
        try write(written, to: part)
        try write(lines, to: journal)
        try pack(packer(.resume), model)
        #expect(try bytes(of: model) == whole, "round \(round)")
        #expect(try names(folder) == ["model.vl2q"])
        try FileManager.default.removeItem(atPath: model)
      }
      // A journal alone, and a file of a writer that keeps no journal.
      for (path, left) in [(journal, lines), (part, written)] {
        try write(left, to: path)
        try pack(packer(.resume), model)
        #expect(try bytes(of: model) == whole)
        #expect(try names(folder) == ["model.vl2q"])
      }
    }
  }

  /// Leaves unfinished work in `folder`/model.vl2q.part.
  private func interrupt(_ folder: String, from source: String = golden) throws {
    #expect(throws: Interruption.self) {
      try pack(packer(.keep, checks: Countdown(60), threads: 1), folder + "/model.vl2q", from: source)
    }
    #expect(try names(folder).contains("model.vl2q.part"))
  }

  @Test func aSourceThatChangedInBetween() throws {
    try withTemporaryFolder { folder in
      let source = folder + "/source"
      let model = folder + "/model.vl2q"
      var copy = try CheckpointCopy()
      try copy.write(to: source)
      try interrupt(folder, from: source)
      let left = try bytes(of: model + ".part")
      let shard = source + "/model-1-of-1.safetensors"
      let weights = try bytes(of: shard)

      func expectRefusal(_ what: String) throws {
        let error = try #require(reported { try pack(packer(.resume), model, from: source) })
        #expect(error.kind == .badData)
        #expect(
          error.description.hasPrefix(model + ".part: ") && error.description.contains(what), "\(error)")
        #expect(error.description.contains("without resuming"))
        // The work is still there for the source that it was made from.
        #expect(try bytes(of: model + ".part") == left)
        #expect(try names(folder).contains("model.vl2q.part.journal"))
      }
      let good = copy
      // A letter of the header, where it says "pt", and a weight that was used.
      let letter = try #require(
        weights.indices.first { weights[$0...].starts(with: Array("\"pt\"".utf8)) })
      for place in [letter + 1, 8 + Int(weights[0]) + Int(weights[1]) << 8 + 10] {
        var changed = weights
        changed[place] ^= 1
        try write(changed, to: shard)
        try expectRefusal("\"model-1-of-1.safetensors\" has changed")
      }
      try write(weights, to: shard)
      try copy.changeJSON("tokenizer_config.json") { $0["note"] = 1 }
      try copy.writeTexts(to: source)
      try expectRefusal("\"tokenizer_config.json\" has changed")
      try good.writeTexts(to: source)
      try write([0x41], to: source + "/LICENSE")
      try expectRefusal("\"LICENSE\" has come to the source")
      try FileManager.default.removeItem(atPath: source + "/LICENSE")
      try FileManager.default.removeItem(atPath: source + "/tokenizer_config.json")
      try expectRefusal("\"tokenizer_config.json\" has gone from the source")

      try good.writeTexts(to: source)
      try pack(packer(.resume), model, from: source)
      let resumed = try bytes(of: model)
      try pack(packer(.remove), model, from: source)
      #expect(try bytes(of: model) == resumed)
    }
  }

  /// What was not read yet may change: nothing was made of it.
  @Test func aSourceThatChangedWhereNothingWasRead() throws {
    try withTemporaryFolder { folder in
      let (source, model) = (folder + "/source", folder + "/model.vl2q")
      try CheckpointCopy().write(to: source)
      try interrupt(folder, from: source)
      let shard = source + "/model-1-of-1.safetensors"
      var weights = try bytes(of: shard)
      weights[weights.count - 5000] ^= 1
      try write(weights, to: shard)
      try pack(packer(.resume), model, from: source)
      let resumed = try bytes(of: model)
      try pack(packer(.remove), model, from: source)
      #expect(try bytes(of: model) == resumed)
    }
  }

  /// Going on reads each byte of the source once, and again only what sections need that were begun.
  @Test func goingOnMakesTheRestAlone() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      let all = Countdown(1 << 30)
      try pack(packer(.keep, checks: all, threads: 1), model)
      let whole = (1 << 30) - all.rest
      try FileManager.default.removeItem(atPath: model)
      #expect(throws: Interruption.self) {
        try pack(packer(.keep, checks: Countdown(whole - 10), threads: 1), model)
      }
      let rest = Countdown(1 << 30)
      try pack(packer(.resume, checks: rest, threads: 1), model)
      #expect((1 << 30) - rest.rest < whole / 2)
    }
  }

  @Test func otherOptions() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      try interrupt(folder)
      for (other, what) in [
        (packer(.resume, .int8), "give the same choice of codes"),
        (packer(.resume, compression: .whereUseful), "give the same encoding of sections"),
        (packer(.resume, tool: "other"), "version"),
      ] {
        let error = try #require(reported { try pack(other, model) })
        #expect(error.kind == .badData && error.description.contains(what), "\(error)")
      }
      // Without resuming, work begins anew.
      try pack(packer(.keep, .int8), model)
      #expect(try names(folder) == ["model.vl2q"])
      #expect(try PackedFile(path: model).manifest.sections == PackedModels.sections("nano-mha", .int8))
    }
  }

  /// What packing again cannot mend leaves nothing.
  @Test func aBadCheckpointLeavesNothing() throws {
    try withTemporaryFolder { folder in
      var copy = try CheckpointCopy()
      copy.change("language.lm_head.weight") { tensor in
        for index in 0..<4 { tensor.bytes[index] = 0xFF }
      }
      try copy.write(to: folder + "/source")
      let error = thrown { try pack(packer(.keep), folder + "/model.vl2q", from: folder + "/source") }
      guard case .notFinite? = error as? CheckpointError else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(try names(folder) == ["source"])
    }
  }

  @Test func oneWriterAtATime() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      let writer = try PackedFileWriter(path: model)
      let error = try #require(reported { try pack(packer(.keep), model) })
      #expect(error.kind == .busy && error.description.contains("another program is writing it"))
      #expect(try names(folder) == ["model.vl2q.part"])
      withExtendedLifetime(writer) {}
    }
  }

  /// Whatever a power cut leaves of both files can be replaced, what is neither cannot.
  @Test func leftovers() throws {
    let zeros = [UInt8](repeating: 0, count: 200)
    for (part, journal, isLeft) in [
      ([], [], true), (zeros, zeros, true), (zeros, Array("1a2b".utf8), true),
      (zeros, Array("1a2b3c4d {".utf8), true), (zeros, Array("1a2b3c4d [".utf8), false),
      (zeros, Array("notes".utf8), false), (Array("precious".utf8), [], false),
      (zeros.prefix(50).map { $0 } + [1], [], false),
    ] as [([UInt8], [UInt8], Bool)] {
      try withTemporaryFolder { folder in
        let model = folder + "/model.vl2q"
        try write(part, to: model + ".part")
        try write(journal, to: model + ".part.journal")
        let error = reported { try pack(packer(.keep), model) }
        #expect(isLeft ? error == nil : error?.kind == .usage, "\(part.count) \(journal)")
        guard !isLeft else { return }
        #expect(try bytes(of: model + ".part") == part && bytes(of: model + ".part.journal") == journal)
      }
    }
  }

  /// A link in the place of the unfinished file does not lead the writing elsewhere.
  @Test func aLinkIsNotFollowed() throws {
    try withTemporaryFolder { folder in
      let model = folder + "/model.vl2q"
      try FileManager.default.createSymbolicLink(
        atPath: model + ".part", withDestinationPath: folder + "/other")
      // What could be an unfinished file, and what cannot.
      for (content, kind) in [([0, 0, 0], ErrorKind.inputOutput), ([1, 2, 3], .usage)]
        as [([UInt8], ErrorKind)]
      {
        try write(content, to: folder + "/other")
        let error = try #require(reported { try pack(packer(.keep), model) })
        #expect(error.kind == kind)
        #expect(try bytes(of: folder + "/other") == content)
      }
    }
  }
}
