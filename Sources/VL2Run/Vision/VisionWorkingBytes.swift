import SIMDKernels
import VL2Quant

extension ModelConfig {
  /// Bytes that encoding a picture needs besides the weights and its own tiles, rounded up rather than down.
  ///
  /// - Parameters:
  ///   - tiles: all tiles.
  ///   - batch: tiles that go through the weights together.
  package func visionBytes(tiles: Int, batch: Int, threads: Int) -> Int {
    let float = MemoryLayout<Float>.stride
    let part = min(tiles, batch)
    let side = ImageTokens(processor).tileRows
    let hidden = language.hiddenSize
    // Patch rows, projected rows, and the rows of the picture, which has one more for each line.
    var bytes = tiles * float * (vision.patches * vision.width + 2 * side * (side + 1) * hidden)
    let wide = max(3 * vision.width, vision.mlpWidth)
    let pixels = 3 * vision.patchSize * vision.patchSize
    let row = float * (pixels + 2 * vision.width + wide) + vl2_quantized_row_bytes(wide)
    bytes += part * vision.patches * row
    // Rows that only float kernels take are kept as floats too.
    bytes += part * vision.patches * float * wide
    bytes +=
      threads
      * max(
        float * (vision.patches * (vision.headSize + 16) + vl2_attention_scratch(vision.patches)),
        KeyValueCode.int8.bytes(positions: vision.patches, headSize: vision.headSize)
          + vl2_attention_i8_scratch(vision.patches, vision.headSize))
    let ratio = projector.downsampleRatio * projector.downsampleRatio
    let unfolded = vision.width * ratio
    bytes += part * side * side * (float * (2 * unfolded + 2 * hidden) + vl2_quantized_row_bytes(unfolded))
    return bytes
  }
}
