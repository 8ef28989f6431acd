import Foundation
import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Measure
import VL2Quant
import VL2Run

/// How well a model foresees a text.
@Suite struct PerplexityTests {
  private static let text = "text-only"

  private func golden(_ checkpoint: String) throws -> (ids: [Int], logits: [Float], columns: Int) {
    let file = try SafetensorsFile(path: Fixtures.path("golden/\(checkpoint)/\(Self.text).safetensors"))
    let columns = try #require(try file.shape(of: "logits").last)
    return (
      try file.integers(of: "input_ids").map { Int($0) }, try file.floats(of: "logits"), columns
    )
  }

  /// Against the reference's logits: the likelihood of every token but the first two.
  @Test(arguments: ["nano-mha", "nano-mla", "nano-sigmoid"]) func likelihood(checkpoint: String) throws {
    let (ids, logits, columns) = try golden(checkpoint)
    var expected = 0.0
    for place in 1..<ids.count - 1 {
      expected -= logSoftmax(logits[place * columns..<(place + 1) * columns])[ids[place + 1]]
    }
    let model = try PackedModels.open(checkpoint, .bf16, activations: .float32)
    let window = try TextPerplexity(model).measure(ids)
    #expect(window.tokens == ids.count - 2 && window.tokens > 20)
    #expect(abs(window.negativeLogLikelihood - expected) < 1e-3 * Double(window.tokens))
    #expect(window.divergence == 0 && window.agreeing == 0)
  }

  /// Against the divergence of the outputs that two traces hold.
  @Test func divergence() throws {
    let (ids, _, columns) = try golden("nano-mha")
    let (reference, model) = (
      try PackedModels.open("nano-mha", .bf16), try PackedModels.open("nano-mha", .q4)
    )
    func logits(_ model: Model) throws -> [Float] {
      let item = try GoldenCase.named(Self.text)
      let outputs = try model.trace(item, pictures: [], newTokens: 0)
      guard case .f32(let values)? = outputs.first(where: { $0.name == "logits" })?.values else { return [] }
      return values
    }
    let (p, q) = (try logits(reference), try logits(model))
    #expect(p.count == ids.count * columns && q.count == p.count)
    var (sum, largest, agreeing) = (0.0, 0.0, 0)
    for place in 1..<ids.count - 1 {
      let row = place * columns..<(place + 1) * columns
      let divergence = ModelComparison.divergence(Array(p[row]), Array(q[row]))
      (sum, largest) = (sum + divergence, max(largest, divergence))
      func likeliest(_ x: [Float]) -> Int? { x[row].indices.max { x[$0] < x[$1] } }
      agreeing += likeliest(p) == likeliest(q) ? 1 : 0
    }
    let window = try TextPerplexity(model, reference: reference).measure(ids)
    #expect(abs(window.divergence - sum) < 1e-9 && sum > 0)
    #expect(abs(window.largestDivergence - largest) < 1e-9)
    #expect(window.agreeing == agreeing && agreeing > 0)
    let itself = try TextPerplexity(model, reference: model).measure(ids)
    #expect(itself.divergence == 0 && itself.agreeing == itself.tokens)
    #expect(itself.referenceLikelihood == window.negativeLogLikelihood)
    #expect(try TextPerplexity(reference).measure(ids).negativeLogLikelihood == window.referenceLikelihood)
  }

  /// Every token is in one window, behind the begin token; what holds no token that counts is left out.
  @Test func windows() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    let perplexity = try TextPerplexity(model, window: 5)
    func windows(_ count: Int) -> [[Int]] { perplexity.windows(of: Array(100..<100 + count)) }
    let begin = model.beginToken
    #expect(windows(0).isEmpty && windows(1).isEmpty)
    #expect(windows(2) == [[begin, 100, 101]])
    #expect(windows(9) == [[begin, 100, 101, 102, 103], [begin, 104, 105, 106, 107]])
    #expect(windows(10).last == [begin, 108, 109])
    for window in [2, 0, -1, model.contextLength + 1] {
      #expect(throws: PerplexityError.window(window, most: model.contextLength)) {
        try TextPerplexity(model, window: window)
      }
    }
  }

  /// The text of a special token is text.
  @Test func files() throws {
    let perplexity = try TextPerplexity(try PackedModels.open("nano-mha", .q4))
    try withTemporaryFolder { folder in
      let path = folder + "/text.txt"
      func windows(_ bytes: [UInt8]) throws -> [[Int]] {
        try write(bytes, to: path)
        return try perplexity.windows(ofTextAt: path)
      }
      let plain = try windows(Array("A text.\nIt has two lines.".utf8))
      #expect(try windows([0xEF, 0xBB, 0xBF] + Array("A text.\nIt has two lines.".utf8)) == plain)
      let special = try windows(Array("<｜end▁of▁sentence｜> <image>".utf8))
      #expect(special[0].count > 12)
      for wrong in [[], Array("\u{FEFF}".utf8), [0x41, 0xFF, 0x42]] as [[UInt8]] {
        #expect(throws: (any Error).self) { try windows(wrong) }
      }
    }
  }

  /// Values of scipy.stats.t.ppf(0.975, n).
  @Test(arguments: [
    (1, 12.7062), (2, 4.3027), (5, 2.5706), (6, 2.4469), (7, 2.3646), (10, 2.2281), (30, 2.0423),
    (1000, 1.9623),
  ]) func quantile(freedom: Int, expected: Double) {
    #expect(abs(ClusteredMean.quantile(freedom) - expected) < 1e-3)
  }

  /// Clusters of one size: the mean of the means, and its standard error, as everybody computes them.
  @Test func clusters() throws {
    var mean = ClusteredMean()
    #expect(mean.mean == 0 && mean.standardError == nil && mean.interval == nil)
    mean.append(sum: 6, count: 3)
    #expect(mean.mean == 2 && mean.standardError == nil)
    mean.append(sum: 12, count: 3)
    mean.append(sum: 0, count: 0)
    mean.append(sum: 9, count: 3)
    #expect(mean.mean == 3 && mean.count == 9 && mean.clusters == 3)
    let error = try #require(mean.standardError)
    #expect(abs(error - (1.0 / 3).squareRoot()) < 1e-12)
    let interval = try #require(mean.interval)
    #expect(abs(interval.upperBound - 3 - 4.3027 * error) < 1e-9)
    // A cluster of another size weighs as much as it holds.
    mean.append(sum: 30, count: 10)
    #expect(abs(mean.mean - 3) < 1e-12)
  }
}
