/// The error that a code causes on some weights. The sums are kept for each block of 16 rows, so that adding
/// them up in order gives the same number, however the blocks were divided among threads.
package struct CodeError: Sendable {
  private var errors: [Double] = []
  private var energies: [Double] = []

  package init() {}

  /// Adds one block: the sums of squared differences and of squared weights.
  mutating func append(error: Double, energy: Double) {
    errors.append(error)
    energies.append(energy)
  }

  /// Appends the blocks of the rows that follow.
  mutating func append(_ next: CodeError) {
    errors += next.errors
    energies += next.energies
  }

  /// Relative root mean square error in parts per million; 0 for weights that are all zero.
  var partsPerMillion: Int {
    let energy = energies.reduce(0, +)
    guard energy > 0 else { return 0 }
    return Int(((errors.reduce(0, +) / energy).squareRoot() * 1_000_000).rounded())
  }
}
