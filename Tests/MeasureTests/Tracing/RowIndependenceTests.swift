import TestModels
import TestRuntime
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
          #expect(ours.keys.contains("logits") && ours.keys.contains("vision.out"))
          expected = ours
          continue
        }
        #expect(ours.keys == expected.keys)
        for (name, tensor) in expected {
          let same = try #require(ours[name]).values.hasSameBits(as: tensor.values)
          #expect(same, "\(name), \(threads) threads, chunks of \(chunk)")
        }
      }
    }
  }

}
