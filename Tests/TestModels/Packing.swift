import VL2Quant

/// Packs a checkpoint folder and opens the result.
@discardableResult
package func packed(
  _ checkpoint: String, to path: String, _ weights: WeightCode = .q4,
  compression: PackedSection.Compression = .never, threads: Int = 2
) throws -> PackedFile {
  try packed(checkpoint, to: path, Recipe(matrices: weights), compression: compression, threads: threads)
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
