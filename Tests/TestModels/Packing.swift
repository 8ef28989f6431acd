import TestSupport
import VL2Quant

/// Packs a checkpoint folder and opens the result.
@discardableResult
package func packed(
  _ checkpoint: String, to path: String, _ weights: WeightCode = .q4,
  compression: PackedSection.Compression = .never, threads: Int = 2
) throws -> PackedFile {
  try packed(checkpoint, to: path, Recipe(matrices: weights), compression: compression, threads: threads)
}

/// Statistics of a checkpoint that are made up: every input saw rows, and some columns were larger than others.
package func madeUpStatistics(_ checkpoint: Checkpoint, seed: UInt64 = 1) throws -> CalibrationStatistics {
  let model = try CalibratedModel(checkpoint)
  var run = CalibrationRun(packedFile: "f", code: "q4", inputs: "i\(seed)", prompts: 1)
  (run.done, run.pictures, run.questions, run.pictureTokens) = (1, 1, 1, 300)
  var statistics = CalibrationStatistics(model, run: run)
  var random = SplitMix64(seed: seed)
  for place in statistics.sums.indices {
    statistics.sums[place].rows = [100, 100]
    for column in statistics.sums[place].squares.indices {
      let value = Double(random.normal())
      statistics.sums[place].squares[column] = value * value * (column % 11 == 3 ? 1000 : 1)
    }
  }
  return statistics
}

/// Packs a checkpoint folder with any recipe and opens the result.
@discardableResult
package func packed(
  _ checkpoint: String, to path: String, _ recipe: Recipe, compression: PackedSection.Compression = .never,
  threads: Int = 2
) throws -> PackedFile {
  try ModelPacker(recipe: recipe, compression: compression, threads: threads, tool: "test")
    .pack(try Checkpoint(folder: checkpoint), to: path)
  return try PackedFile(path: path)
}
