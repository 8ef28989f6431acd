import Foundation
import SIMDKernels
import TestSupport
import VL2Quant

/// A packed file of a model with two layers, a dense one and one with two experts, made by hand: sections of every
/// kind and code, the tokeniser's as zstd frames.
struct PackedFileFixture {
  static var files: ConfigFiles {
    var files = ConfigFiles()
    files.vision = [
      "image_size": "28", "patch_size": "14", "width": "18", "layers": "1", "heads": "2", "mlp_ratio": "1.5",
    ]
    files.language.merge([
      "vocab_size": "40", "hidden_size": "16", "intermediate_size": "24", "moe_intermediate_size": "20",
      "num_hidden_layers": "2", "num_attention_heads": "2", "n_routed_experts": "2",
      "num_experts_per_tok": "1",
      "n_shared_experts": "1",
    ]) { $1 }
    return files
  }

  let texts: [String: String]
  let layout: ModelLayout
  /// Raw bytes by section.
  var bytes: [String: [UInt8]] = [:]
  /// What went into a tensor, as the codes round it.
  var values: [String: [Float]] = [:]
  var sections: [PackedSection] = []

  private static let matrixCodes: [WeightCode] = [.q4, .int8, .bf16, .f32]

  init(files: ConfigFiles = Self.files, compression: PackedSection.Compression = .never) throws {
    texts = files.texts
    layout = ModelLayout(try ModelConfig(configFiles: texts))
    var random = SplitMix64(seed: 7)
    for (index, section) in layout.sections.enumerated() {
      if section.tensors.isEmpty {
        let text = (0..<400).map { "\(section.name) \($0 % 20), " }.joined()
        bytes[section.name] = Array(text.utf8)
        sections.append(
          PackedSection(
            name: section.name, tensors: [], bytes: Array(text.utf8), compression: .whereUseful))
        continue
      }
      // Experts get one code for all three matrices, so that gate and up alternate; others get them in turn.
      let codes = section.tensors.enumerated().map { (place, tensor) -> WeightCode in
        switch tensor.kind {
        case .plain: .plain
        case .router: .f32
        case .matrix: Self.matrixCodes[(section.name.contains("expert") ? index : index + place) % 4]
        }
      }
      let (entries, raw) = encode(section, codes, &random)
      bytes[section.name] = raw
      sections.append(
        PackedSection(name: section.name, tensors: entries, bytes: raw, compression: compression))
    }
  }

  private mutating func encode(
    _ section: ModelLayout.Section, _ codes: [WeightCode], _ random: inout SplitMix64
  ) -> ([TensorEntry], [UInt8]) {
    let placement = SectionPlacement(section.tensors, codes: codes)!
    var raw = [UInt8](repeating: 0, count: placement.length)
    var entries: [TensorEntry] = []
    for (i, tensor) in section.tensors.enumerated() {
      let (offset, step) = (placement.offsets[i], placement.blockSteps[i])
      let weights = (0..<tensor.count).map { _ in random.normal() }
      raw.withUnsafeMutableBytes { raw in
        if codes[i] == .plain {
          weights.withUnsafeBytes {
            raw.baseAddress!.advanced(by: offset).copyMemory(from: $0.baseAddress!, byteCount: $0.count)
          }
          values[tensor.name] = weights
          return
        }
        let code = codes[i].kernelCode!
        let base = raw.baseAddress!.assumingMemoryBound(to: UInt8.self) + offset
        for first in stride(from: 0, to: tensor.rows, by: 16) {
          var energy = 0.0
          weights.withUnsafeBufferPointer {
            _ = vl2_encode_block(
              code, $0.baseAddress! + first * tensor.columns, tensor.columns, min(16, tensor.rows - first),
              tensor.columns, base + first / 16 * step, &energy)
          }
        }
        var matrix = vl2_matrix(
          blocks: base, block_step: step, code: code, rows: UInt32(tensor.rows),
          columns: UInt32(tensor.columns))
        values[tensor.name] = Self.decode(&matrix)
      }
      entries.append(
        TensorEntry(
          name: tensor.name, shape: tensor.shape, code: codes[i], offset: offset, blockStep: step, errorPPM: i
        ))
    }
    return (entries, raw)
  }

  /// All rows of a matrix.
  static func decode(_ matrix: inout vl2_matrix) -> [Float] {
    let (rows, columns) = (Int(matrix.rows), Int(matrix.columns))
    return [Float](unsafeUninitializedCapacity: rows * columns) { buffer, count in
      for row in 0..<rows { vl2_decode_row(&matrix, row, buffer.baseAddress! + row * columns) }
      count = rows * columns
    }
  }

  static let origin = Manifest.Origin(
    source: "by-hand", tool: "tests", license: "None.\n\"Quoted\" / \\ \u{1F600}", demonstration: true,
    leftOut: ["vision.attn_pool.q.weight"])
  static let recipe = [RecipeRule(pattern: "*.experts.*", code: .q4), RecipeRule(pattern: "*", code: .int8)]

  func write(to path: String) throws {
    let writer = try PackedFileWriter(path: path)
    for section in sections { try writer.append(section) }
    try writer.finish(origin: Self.origin, recipe: Self.recipe, configFiles: texts)
  }
}

/// A packed file as bytes, for tests that damage it. It knows of the format what docs/FORMAT.md says and shares no
/// code with the reader.
struct RawPackedFile {
  var bytes: [UInt8]

  init(path: String) throws { bytes = Array(try Data(contentsOf: URL(fileURLWithPath: path))) }

  func write(to path: String) throws { try Data(bytes).write(to: URL(fileURLWithPath: path)) }

  func number(at offset: Int) -> Int { (0..<8).reduce(0) { $0 | Int(bytes[offset + $1]) << (8 * $1) } }

  static func littleEndian(_ number: UInt64, count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }

  mutating func put(_ number: UInt64, at offset: Int, count: Int = 8) {
    bytes.replaceSubrange(offset..<offset + count, with: Self.littleEndian(number, count: count))
  }

  var manifestOffset: Int { number(at: 16) }
  var manifest: String { String(decoding: bytes[manifestOffset...], as: UTF8.self) }

  /// Another manifest with checksums and lengths that fit it.
  mutating func replaceManifest(_ manifest: [UInt8]) {
    bytes.replaceSubrange(manifestOffset..., with: manifest)
    put(UInt64(manifest.count), at: 24)
    put(UInt64(bytes.count), at: 32)
    put(UInt64(Self.crc32c(manifest)), at: 40, count: 4)
    sealHead()
  }

  mutating func replaceManifest(_ manifest: String) { replaceManifest(Array(manifest.utf8)) }

  mutating func sealHead() { put(UInt64(Self.crc32c(Array(bytes[..<60]))), at: 60, count: 4) }

  /// CRC-32C, one bit at a time in its table, from its definition.
  static func crc32c(_ bytes: [UInt8]) -> UInt32 {
    var crc = UInt32.max
    for byte in bytes { crc = crc >> 8 ^ crcTable[Int(UInt8(truncatingIfNeeded: crc) ^ byte)] }
    return ~crc
  }

  private static let crcTable = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0x82F6_3B78 : 0) }
  }
}
