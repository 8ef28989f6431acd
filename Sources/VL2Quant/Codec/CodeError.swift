import SIMDKernels

/// The error that a code causes on some weights. The sums are kept for each block of 16 rows, so that adding
/// them up in order gives the same number, however the blocks were divided among threads.
package struct CodeError: Sendable {
  private var blocks: [vl2_code_error] = []

  package init() {}

  /// Adds one block.
  mutating func append(_ block: vl2_code_error) { blocks.append(block) }

  /// Appends the blocks of the rows that follow.
  mutating func append(_ next: CodeError) { blocks += next.blocks }

  /// Relative root mean square error in parts per million; 0 for weights that are all zero.
  var partsPerMillion: Int { Self.partsPerMillion(blocks.map(\.error), blocks.map(\.energy)) }

  /// The same with each column counted by its importance; 0 where none was known.
  var weightedPartsPerMillion: Int {
    Self.partsPerMillion(blocks.map(\.weighted_error), blocks.map(\.weighted_energy))
  }

  private static func partsPerMillion(_ errors: [Double], _ energies: [Double]) -> Int {
    let energy = energies.reduce(0, +)
    guard energy > 0 else { return 0 }
    return Int(((errors.reduce(0, +) / energy).squareRoot() * 1_000_000).rounded())
  }
}
