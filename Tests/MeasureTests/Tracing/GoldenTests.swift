import Foundation
import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Measure
import VL2Quant
import VL2Run

/// The runtime against stage outputs of the reference implementation.
@Suite struct GoldenTests {
  /// bf16 weights and float32 activations: every stage, as near as float32 sums in another order come.
  @Test(arguments: ["nano-mha", "nano-outliers", "nano-mla", "nano-sigmoid"], Fixtures.goldenCases)
  func exactStages(checkpoint: String, name: String) throws {
    let model = try PackedModels.open(checkpoint, .bf16, activations: .float32)
    let golden = try SafetensorsFile(path: Fixtures.path("golden/\(checkpoint)/\(name).safetensors"))
    let item = try GoldenCase.named(name)
    let ours = Dictionary(
      uniqueKeysWithValues: try model.trace(item, pictures: try item.pictures()).map { ($0.name, $0) })
    #expect(golden.names.contains("logits") && golden.names.contains("route.2.experts"))
    for stage in golden.names {
      let tensor = try #require(ours[stage], "\(stage) was not recorded")
      #expect(try tensor.shape == golden.shape(of: stage), "\(stage)")
      switch tensor.values {
      case .f32(let values):
        let differences = zip(values, try golden.floats(of: stage)).map { abs($0 - $1) }
        #expect(differences.count == values.count && !values.isEmpty)
        // One by one, since the largest of them says nothing of what is not a number.
        let areSmall = differences.allSatisfy { $0 <= 1e-3 }
        #expect(areSmall, "\(stage) differs by up to \(differences.max() ?? 0)")
      case .i64(var values):
        var expected = try golden.integers(of: stage).map(Int64.init)
        if stage.hasSuffix(".experts") {  // the order inside a row's experts is free
          (values, expected) = (sortedRows(values, tensor.shape[1]), sortedRows(expected, tensor.shape[1]))
        }
        #expect(values == expected, "\(stage)")
      case .u8(let values):
        #expect(try values == golden.bytes(of: stage), "\(stage)")
      }
    }
  }

  private func sortedRows(_ values: [Int64], _ columns: Int) -> [Int64] {
    stride(from: 0, to: values.count, by: columns).flatMap { values[$0..<$0 + columns].sorted() }
  }

  /// With float32 activations, packed codes compute what the checkpoint computes that they dequantise to, bit for bit.
  @Test(arguments: ["nano-mha", "nano-mla", "nano-sigmoid"], [WeightCode.q4, .int8])
  func codesMeanTheirDequantisedCheckpoint(checkpoint: String, weights: WeightCode) throws {
    let path = try PackedModels.path(checkpoint, weights)
    let item = try GoldenCase.named("grounding")
    let pictures = try item.pictures()
    let ours = try PackedModels.open(checkpoint, weights, activations: .float32).trace(
      item, pictures: pictures)
    let theirs = try withTemporaryFolder { folder in
      try Dequantizer(threads: 2).write(PackedFile(path: path), to: folder + "/back")
      try packed(folder + "/back", to: folder + "/model.vl2q", .f32)
      let options = RuntimeOptions(threads: 2, activations: .float32)
      return try Model(path: folder + "/model.vl2q", options: options).trace(item, pictures: pictures)
    }
    #expect(ours.count == theirs.count && ours.contains { $0.name == "logits" })
    for (a, b) in zip(ours, theirs) {
      #expect(a.name == b.name)
      let same = a.values.hasSameBits(as: b.values)
      #expect(same, "\(a.name)")
    }
  }

  /// A picture whose only local tile is the global view is encoded once, to the same rows.
  @Test func globalViewEncodedOnce() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let picture = try Picture(contentsOf: Fixtures.path("golden/images/grey.jpg"))
    let tiled = TiledPicture(
      picture, grid: TileGrid(columns: 1, rows: 1), processor: model.config.processor)
    #expect(tiled.globalEqualsLocal)
    let pictures = (once: try model.encode(tiled), twice: try model.encode(tiled, observer: StageRecorder()))
    withExtendedLifetime(pictures) {
      let (once, twice) = (pictures.once.rows, pictures.twice.rows)
      #expect(once.count == twice.count && once.count > 0)
      for row in 0..<once.count { #expect(sameBits(once[row], twice[row], once.columns)) }
    }
  }

  /// What int8 activations cost, with the reference's routes forced, on a model with large channels: a scale
  /// per 32 values must be worth its price against one per row.
  @Test func scalesPer32KeepLargeChannels() throws {
    let perGroup = try meanDivergence(.int8)
    let perRow = try meanDivergence(.int8PerRow)
    #expect(perGroup < 0.5 * perRow, "\(perGroup) per 32, \(perRow) per row")
    #expect(0 < perGroup && perGroup < 0.3)
  }

  private func meanDivergence(_ mode: ActivationMode) throws -> Double {
    let model = try PackedModels.open("nano-outliers", .bf16, activations: mode)
    let exact = try PackedModels.open("nano-outliers", .bf16, activations: .float32)
    var (sum, rows) = (0.0, 0)
    for name in Fixtures.goldenCases {
      let item = try GoldenCase.named(name)
      let golden = try SafetensorsFile(path: Fixtures.path("golden/nano-outliers/\(name).safetensors"))
      var routes: [Int: [Int32]] = [:]
      for layer in 1...2 {
        routes[layer] = try golden.integers(of: "route.\(layer).experts").map(Int32.init)
      }
      let ours = try logits(model, item, routes)
      let wanted = try logits(exact, item, routes)
      let columns = model.config.language.vocabularySize
      for first in stride(from: 0, to: ours.count, by: columns) {
        sum += divergence(wanted[first..<first + columns], ours[first..<first + columns])
        rows += 1
      }
    }
    return sum / Double(rows)
  }

  private func logits(_ model: Model, _ item: TraceCase, _ routes: [Int: [Int32]]) throws -> [Float] {
    let tensors = try model.trace(
      item, pictures: try item.pictures(), newTokens: 0, forcedRoutes: routes)
    guard case .f32(let values)? = tensors.first(where: { $0.name == "logits" })?.values else {
      throw CocoaError(.coderValueNotFound)
    }
    return values
  }
}

/// Kullback-Leibler divergence of softmax(q) from softmax(p), in nats.
func divergence(_ p: ArraySlice<Float>, _ q: ArraySlice<Float>) -> Double {
  let (logP, logQ) = (logSoftmax(p), logSoftmax(q))
  return zip(logP, logQ).reduce(0) { $0 + exp($1.0) * ($1.0 - $1.1) }
}
