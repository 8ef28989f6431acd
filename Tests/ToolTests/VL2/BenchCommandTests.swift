import Foundation
import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Run

/// `vl2 bench` on a model small enough that it takes seconds.
@Suite struct BenchCommandTests {
  private let vl2 = Tool("vl2")

  @Test func json() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let path = try PackedModels.path("nano-mha", .q4)
    let run = try vl2.run(["bench", "--model", path, "--threads", "2", "--runs", "1", "--json"])
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors.isEmpty)
    let object = try jsonObject(run.output)
    for key in [
      "prompt_tokens_per_second", "write_tokens_per_second", "write_tokens_per_second_at_3500",
      "tile_seconds", "tile_seconds_of_five", "first_token_seconds", "open_seconds", "peak_anonymous_bytes",
      "read_bytes_per_second", "weight_bytes_per_token", "write_bandwidth_share",
      "int8_operations_per_second", "float_operations_per_second", "tile_peak_share", "prompt_peak_share",
    ] {
      #expect((object[key] as? Double ?? 0) > 0, "\(key)")
    }
    #expect(object["threads"] as? Int == 2)
    #expect(object["runs"] as? Int == 1)
    #expect(object["isa"] as? String != nil)
    // The context that the model has, less the tokens written.
    let limit = model.config.language.maxPositions
    #expect(object["context"] as? Int == min(3500, limit - 64))

    // Counted tensor by tensor: whatever belongs to a layer or the head, experts in their share.
    let language = model.config.language
    let routing = try #require(language.routing)
    var bytes = 0
    for section in model.file.manifest.sections {
      if section.name.contains(".expert.") {
        bytes += section.name.hasSuffix(".expert.0") ? section.rawLength * routing.expertsPerToken : 0
      } else if section.name.hasPrefix("layer.") || section.name == "head" {
        bytes += section.rawLength
      } else if section.name == "embedding" {
        bytes += section.tensors[0].blockStep / 16
      }
    }
    #expect(object["weight_bytes_per_token"] as? Int == bytes)
  }

  @Test func table() throws {
    let path = try PackedModels.path("nano-mha", .q4)
    let run = try vl2.run(["bench", "--model", path, "--threads", "1", "--runs", "2"])
    #expect(run.status == 0, "\(run.errors)")
    let lines = run.output.split(separator: "\n").map(String.init)
    #expect(lines.first?.hasPrefix("1 thread, ") == true && lines.first?.hasSuffix("of 2 runs") == true)
    for part in [
      "opening", "first token", "one tile", "five tiles", "prompt of", "at context 0", "anonymous memory",
      "reading mapped weights", "weights that a token reads", "int8 multiply-adds", "float multiply-adds",
    ] {
      #expect(lines.contains { $0.contains(part) }, "\(part)")
    }
    #expect(run.output.contains("Weights are read fastest "))
    let writing = try #require(lines.first { $0.contains("at context 0") })
    #expect(writing.hasSuffix(" %"))
    #expect(run.output.contains("context ends before 3,500"))
  }

  /// A block for an issue.
  @Test func report() throws {
    let path = try PackedModels.path("nano-mha", .q4)
    let run = try vl2.run(["bench", "--model", path, "--threads", "1", "--runs", "1", "--report"])
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors.isEmpty)
    let name = try #require(path.split(separator: "/").last)
    for part in [
      "| kernel | ", "| cores | ", "| kernels | ", "| memory | ", "| storage | ", "| model | \(name), ",
      "| vl2 | ", "| one tile | ", "| prompt of ", "| writing 64 tokens at context 0 | ",
      "|  | before | meanwhile | after |", "| temperature, degrees Celsius | ", "| clock, MHz | ",
      "| throttling | ",
    ] {
      #expect(run.output.contains(part), "\(part)")
    }
    #expect(!run.output.contains(path))
    let both = try vl2.run(["bench", "--report", "--json"])
    #expect(both.status == 64 && both.errors.contains("--report"))
  }

  /// Every kernel of every instruction set, without a model.
  @Test func kernels() throws {
    let run = try vl2.run(["bench", "--kernels", "--json"])
    #expect(run.status == 0, "\(run.errors)")
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: [[String: Any]]])
    let peaks = try #require(object["peaks"])
    #expect(peaks.map { $0["isa"] as? String } == InstructionSet.available)
    #expect(peaks.allSatisfy { ($0["int8_operations_per_second"] as? Double ?? 0) > 1e6 })
    #expect(peaks.allSatisfy { ($0["float_operations_per_second"] as? Double ?? 0) > 1e6 })
    let kernels = try #require(object["kernels"])
    for isa in InstructionSet.available {
      let names = Set(kernels.filter { $0["isa"] as? String == isa }.compactMap { $0["name"] as? String })
      #expect(
        names.isSuperset(of: [
          "matmul_i8 q4", "matmul_i8 int8", "gated_i8 q4", "matmul_f32 q4", "attention", "attention_i8",
          "store_key_values", "quantize_rows", "gelu_tanh", "argmax",
        ]), "\(isa)")
    }
    for kernel in kernels {
      #expect((kernel["seconds"] as? Double ?? 0) > 0)
      #expect((kernel["bytes_per_second"] as? Double ?? 0) > 0)
      let isProduct = (kernel["name"] as? String)?.hasPrefix("matmul") == true
      if isProduct { #expect((kernel["peak_share"] as? Double ?? 0) > 0) }
    }
    let both = try vl2.run(["bench", "--kernels", "--memory", "1G"])
    #expect(both.status == 64 && both.errors.contains("--kernels and --memory"))
  }

  @Test func stages() throws {
    let words = ["bench", "--stages", "--model", try PackedModels.path("nano-mha", .q4), "--threads", "2"]
    var run = try vl2.run(words)
    // Stages leave out nothing but what starting and stopping the clock takes, and on a busy machine who else is at work.
    for _ in 0..<4 where try largestGap(run) > 5 { run = try vl2.run(words) }
    #expect(try largestGap(run) < 5, "\(run.output)")
    #expect(run.output.contains("gate and up") && run.output.contains("attention"))
    let both = try vl2.run(["bench", "--stages", "--kernels"])
    #expect(both.status == 64 && both.errors.contains("--stages"))
  }

  /// Of the three tables, the most that shares miss of 100 percent together.
  private func largestGap(_ run: ToolRun) throws -> Double {
    #expect(run.status == 0, "\(run.errors)")
    return try ["writing a token", "prompt of", "one tile"].map { part in
      let table = try #require(
        run.output.components(separatedBy: "\n\n").first { $0.hasPrefix(part) }, "\(part)")
      let shares = table.split(separator: "\n").compactMap { line -> Double? in
        guard let end = line.firstIndex(of: "%") else { return nil }
        return line[..<end].split(separator: " ").last.flatMap { Double($0) }
      }
      return abs(shares.reduce(0, +) - 100)
    }.max() ?? 100
  }

  /// Of 3 x 2 tiles and the whole view, one tile and the whole view are encoded again.
  @Test func reuse() throws {
    let words = ["bench", "--reuse", "--model", try PackedModels.path("nano-mha", .q4), "--runs", "2"]
    let run = try vl2.run(words + ["--json"])
    #expect(run.status == 0, "\(run.errors)")
    let object = try jsonObject(run.output)
    #expect(object["columns"] as? Int == 3 && object["rows"] as? Int == 2 && object["runs"] as? Int == 2)
    for (side, tiles) in [("off", 7), ("exact", 2)] {
      let side = try #require(object[side] as? [String: Any])
      #expect(side["tiles"] as? Int == tiles)
      #expect((side["encoding_seconds"] as? Double ?? 0) > 0)
      #expect(side["first_token_seconds"] as? Double ?? 0 > side["encoding_seconds"] as? Double ?? 1)
    }
    let table = try vl2.run(words).output
    #expect(table.hasPrefix("3 x 2 tiles and the whole view") && table.contains("first token"))
    expectFailure(try vl2.run(words + ["--kernels"]), status: 64, naming: "--reuse")
  }

  @Test func badInput() throws {
    try withTemporaryFolder { folder in
      let missing = try vl2.run(["bench", "--model", folder + "/none.vl2q"])
      #expect(missing.status == 66)
      #expect(missing.output.isEmpty)
      #expect(missing.errors.contains("none.vl2q"))
      #expect(missing.errors.split(separator: "\n").count == 1)
    }
    let none = try vl2.run(["bench", "--runs", "0"])
    #expect(none.status == 64 && none.errors.contains("--runs 0"))
  }
}
