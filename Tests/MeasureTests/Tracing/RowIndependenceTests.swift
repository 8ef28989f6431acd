import SIMDKernels
import TestSupport
import Testing
import VL2Measure
import VL2Quant
import VL2Run

/// A row's result has the same bits however the rows are cut into chunks and however many threads work.
@Suite struct RowIndependenceTests {
  @Test(
    arguments: [
      ("nano-mha", WeightCode.q4), ("nano-mha", .int8), ("nano-mha", .bf16), ("nano-mla", .q4),
      ("nano-mla", .bf16), ("nano-sigmoid", .q4),
    ], [ActivationMode.int8, .float32])
  func chunksAndThreads(packed: (checkpoint: String, weights: WeightCode), mode: ActivationMode) throws {
    let item = try GoldenCase.named("chat")
    let pictures = try item.pictures()
    var expected: [String: StoredTensor]?
    for threads in [1, 2] {
      let model = try PackedModels.open(
        packed.checkpoint, packed.weights, activations: mode, threads: threads)
      for chunk in [512, 7, 1] {
        let tensors = try model.trace(item, pictures: pictures, chunk: chunk)
        let ours = Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0) })
        guard let expected else {
          expected = ours
          continue
        }
        for (name, tensor) in expected {
          let same = try #require(ours[name]).values.hasSameBits(as: tensor.values)
          #expect(same, "\(name), \(threads) threads, chunks of \(chunk)")
        }
      }
    }
  }

  /// Words written after the prompt, one row at a time, get the logits that they get when the conversation is read
  /// again in one go, as a prompt with an answer.
  @Test(arguments: ["nano-mha", "nano-mla", "nano-sigmoid"])
  func writingEqualsReadingAgain(checkpoint: String) throws {
    let model = try PackedModels.open(checkpoint, .q4)
    let tokens = [0, 17, 300, 5, 99, 640, 12, 8, 8, 41]
    let hidden = model.config.language.hiddenSize
    let buffer = AlignedBuffer()
    defer { withExtendedLifetime(buffer) {} }
    func rows() throws -> Rows {
      let rows = Rows(buffer.reserve(tokens.count * hidden), count: tokens.count, columns: hidden)
      for (i, token) in tokens.enumerated() { try model.decoder.embed(token, into: rows[i]) }
      return rows
    }
    let together = try rows()
    try model.decoder.forward(together, cache: try model.decoder.makeCache(positions: 16), answers: [5..<9])
    let expected = Array(
      UnsafeBufferPointer(start: model.decoder.logits(together.slice(9..<10)).base, count: 648))
    let apart = try rows()
    let cache = try model.decoder.makeCache(positions: 16)
    for row in 0..<tokens.count {
      try model.decoder.forward(
        apart.slice(row..<row + 1), cache: cache, answers: (5..<9).contains(row) ? [0..<1] : [])
    }
    let logits = model.decoder.logits(apart.slice(9..<10))
    #expect(sameBits(logits.base, expected, 648))
  }
}
