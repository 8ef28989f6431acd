import SIMDKernels
import VL2Base

/// Weights that carry no knowledge but keep activations finite through all layers: the rows differ in size,
/// and the gain is that of a random network. The bytes are the same on every machine; every block of 16 rows
/// depends only on the tensor's name and the block's place.
///
/// The codes of matrices are drawn in their stored form, without a search for good scales. That makes it
/// quick: a model of the largest published size takes a minute.
package struct RandomWeights: WeightSource {
  package init() {}

  package func check(_ tensor: TensorEntry) {}

  package func write(
    _ tensor: TensorEntry, rows: Range<Int>, to section: UnsafeMutableRawBufferPointer
  ) -> CodeError {
    let drawing = RandomTensor(tensor)
    if let kernelCode = tensor.code.kernelCode {
      let length = vl2_block_bytes(kernelCode, drawing.extent.columns)
      for block in rows.lowerBound / 16..<(rows.upperBound + 15) / 16 {
        let place = tensor.offset + block * tensor.blockStep
        drawing.fill(block: block, UnsafeMutableRawBufferPointer(rebasing: section[place..<place + length]))
      }
    } else {
      for row in rows {
        section.storeBytes(of: drawing.value(row), toByteOffset: tensor.offset + row * 4, as: Float.self)
      }
    }
    return CodeError()
  }
}

/// Draws one tensor.
private struct RandomTensor {
  private let name: String
  private let code: WeightCode
  let extent: WeightExtent

  /// Whether this is the weight or the bias of a norm.
  private let isNorm: Bool
  /// The root mean square of the weights (for a norm's weight, around 1).
  private let size: Float

  init(_ tensor: TensorEntry) {
    name = tensor.name
    code = tensor.code
    extent = WeightExtent(tensor)
    isNorm = name.hasSuffix("norm.weight") || name.contains(".norm")
    size = Self.size(tensor, isNorm: isNorm, columns: extent.columns)
  }

  private static func size(_ tensor: TensorEntry, isNorm: Bool, columns: Int) -> Float {
    if tensor.code == .plain { return isNorm ? 0.1 : 0.05 }
    if tensor.name.hasSuffix("embed_tokens.weight") { return 1 }
    let isLarge = tensor.name.hasSuffix("lm_head.weight") || tensor.name.hasSuffix("gate.weight")
    return (isLarge ? 3 : 1.2) / Float(columns).squareRoot()
  }

  /// A value of a plain tensor.
  func value(_ place: Int) -> Float {
    var random = generator(place)
    return (isNorm && name.hasSuffix("weight") ? 1 : 0) + size * random.normal()
  }

  /// Fills the block that holds rows `16 * block` onwards.
  func fill(block: Int, _ out: UnsafeMutableRawBufferPointer) {
    var random = generator(block)
    let rows = min(16, extent.rows - 16 * block)
    switch code {
    case .q4: fillQ4(out, rows: rows, &random)
    case .int8: fillInt8(out, rows: rows, &random)
    case .f32, .bf16, .plain: encodeNormal(out, rows: rows, &random)
    }
  }

  private func generator(_ place: Int) -> RandomBits {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325  // FNV-1a
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return RandomBits(state: hash ^ (UInt64(place) &* 0xD6E8_FEB8_6659_FD93))
  }

  // MARK: - Codes drawn as they are stored; docs/FORMAT.md says what is where

  private func fillQ4(_ out: UnsafeMutableRawBufferPointer, rows: Int, _ random: inout RandomBits) {
    random.fill(out)
    let superblocks = (extent.columns + 63) / 64
    for superblock in 0..<superblocks {
      for row in 0..<16 {
        // A six-bit scale of 0 would stand for -32, which no encoder writes.
        let first = superblock * 48 + row
        for part in 0..<3 where out[first + 16 * part] & 63 == 0 { out[first + 16 * part] |= 1 }
        if (out[first] | out[first + 16] | out[first + 32]) >> 6 == 0 { out[first] |= 64 }
      }
    }
    let codebook = withUnsafeBytes(of: vl2_q4_codebook) { $0.map { Float(Int8(bitPattern: $0)) } }
    let entry = Self.rootMeanSquare(codebook)
    let scale = Self.rootMeanSquare((-31...31).map(Float.init))
    writeRowScales(out, at: superblocks * 48, rows: rows, size / (entry * scale), &random)
  }

  private func fillInt8(_ out: UnsafeMutableRawBufferPointer, rows: Int, _ random: inout RandomBits) {
    random.fill(out)
    // -128 is not a code.
    for index in out.indices { out[index] = out[index] == 0x80 ? 0x81 : out[index] }
    let entry = Self.rootMeanSquare((-127...127).map(Float.init))
    let scale = Self.rootMeanSquare((0...255).map(Float.init))
    writeRowScales(out, at: (extent.columns + 31) / 32 * 16, rows: rows, size / (entry * scale), &random)
  }

  /// Sixteen bfloat16 values from `offset` on, spread around `scale`, zero for padding rows; then zeros up to
  /// a multiple of 64 bytes.
  private func writeRowScales(
    _ out: UnsafeMutableRawBufferPointer, at offset: Int, rows: Int, _ scale: Float,
    _ random: inout RandomBits
  ) {
    for row in 0..<16 {
      let value = row < rows ? scale * (0.6 + 0.8 * random.unit()) : 0
      let half = UInt16(truncatingIfNeeded: value.bitPattern >> 16)
      out.storeBytes(of: half.littleEndian, toByteOffset: offset + 2 * row, as: UInt16.self)
    }
    for index in offset + 32..<(offset + 32 + 63) / 64 * 64 { out[index] = 0 }
  }

  private static func rootMeanSquare(_ values: [Float]) -> Float {
    (values.reduce(0) { $0 + $1 * $1 } / Float(values.count)).squareRoot()
  }

  private func encodeNormal(_ out: UnsafeMutableRawBufferPointer, rows: Int, _ random: inout RandomBits) {
    guard let kernelCode = code.kernelCode, let target = out.baseAddress else { return }
    let weights = (0..<rows * extent.columns).map { _ in size * random.normal() }
    var energy = 0.0
    _ = vl2_encode_block(
      kernelCode, weights, extent.columns, rows, extent.columns, target.assumingMemoryBound(to: UInt8.self),
      &energy)
  }
}
