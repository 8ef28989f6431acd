import SIMDKernels
import TestSupport
import Testing
import VL2Quant

/// Random weights and the tokeniser that comes with them.
@Suite struct SynthesisTests {
  /// The shapes of the published checkpoints, in millions of weights.
  @Test(arguments: [(PublishedSize.tiny, 3355), (.small, 16_133), (.base, 27_464)])
  func publishedSizes(_ size: PublishedSize, millions: Int) throws {
    let layout = ModelLayout(try ModelConfig(configFiles: size.configFiles))
    let weights = layout.sections.reduce(0) { $0 + $1.tensors.reduce(0) { $0 + $1.count } }
    #expect(weights / 1_000_000 == millions)
  }

  @Test(arguments: PublishedSize.allCases)
  func byteTokenizer(_ size: PublishedSize) throws {
    let config = try ModelConfig(configFiles: size.configFiles)
    let section = try CompiledTokenizer.compile(
      tokenizerJSON: Array(ByteTokenizer.json(firstSpecial: size.beginToken).utf8),
      tokenizerConfig: size.configFiles["tokenizer_config.json"], processor: config.processor,
      vocabularySize: config.language.vocabularySize)
    #expect(!section.isEmpty)
    #expect(config.language.endToken == config.language.beginToken + 1)
  }

  /// Drawn codes have the size that keeps activations finite, no code that an encoder never writes, and padding
  /// rows of zero.
  @Test(arguments: [WeightCode.q4, .int8, .f32, .bf16], [(40, 1280), (16, 588), (23, 270)])
  func drawnCodes(_ code: WeightCode, _ size: (rows: Int, columns: Int)) throws {
    let kernelCode = try #require(code.kernelCode)
    let step = vl2_block_bytes(kernelCode, size.columns)
    let tensor = TensorEntry(
      name: "some.weight", shape: [size.rows, size.columns], code: code, offset: 0, blockStep: step,
      errorPPM: 0)
    let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: tensor.byteCount, alignment: 64)
    defer { memory.deallocate() }
    _ = RandomWeights().write(tensor, rows: 0..<size.rows, to: memory)
    let base = try #require(memory.baseAddress).assumingMemoryBound(to: UInt8.self)
    let padded = (size.rows + 15) / 16 * 16
    var matrix = vl2_matrix(
      blocks: base, block_step: step, code: kernelCode, rows: UInt32(padded), columns: UInt32(size.columns))
    var row = [Float](repeating: 0, count: size.columns)
    var (sum, squares) = (0.0, 0.0)
    for index in 0..<padded {
      vl2_decode_row(&matrix, index, &row)
      if index >= size.rows {
        #expect(row.allSatisfy { $0 == 0 })
      } else {
        sum += row.reduce(0) { $0 + Double($1) }
        squares += row.reduce(0) { $0 + Double($1) * Double($1) }
      }
    }
    let count = Double(size.rows * size.columns)
    let expected = 1.2 / Double(size.columns).squareRoot()
    #expect(abs((squares / count).squareRoot() / expected - 1) < 0.25)
    #expect(abs(sum / count) < 0.15 * expected)
    if code == .q4 {
      for superblock in 0..<size.columns / 64 {
        for index in 0..<16 {
          let bytes = (0..<3).map { memory[superblock * 48 + $0 * 16 + index] }
          #expect(bytes.allSatisfy { $0 & 63 != 0 })
          #expect(bytes.contains { $0 >> 6 != 0 })
        }
      }
    }

    // The same bytes however the rows are shared out.
    let again = UnsafeMutableRawBufferPointer.allocate(byteCount: tensor.byteCount, alignment: 64)
    defer { again.deallocate() }
    for first in stride(from: 0, to: size.rows, by: 16).reversed() {
      _ = RandomWeights().write(tensor, rows: first..<min(first + 16, size.rows), to: again)
    }
    #expect(memory.elementsEqual(again))
  }
}
