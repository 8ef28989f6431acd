import TestSupport
import VL2Quant

/// Packs a checkpoint folder and opens the result.
@discardableResult
func packed(
  _ checkpoint: String, to path: String, _ weights: WeightCode = .q4,
  compression: PackedSection.Compression = .never, threads: Int = 2
) throws -> PackedFile {
  let packer = ModelPacker(
    recipe: Recipe(matrices: weights), compression: compression, threads: threads, tool: "test")
  try packer.pack(try Checkpoint(folder: checkpoint), to: path)
  return try PackedFile(path: path)
}

/// The sections that packing a folder gives.
func sections(_ checkpoint: String, _ weights: WeightCode = .q4) throws -> [SectionEntry] {
  try withTemporaryFolder { try packed(checkpoint, to: $0 + "/model.vl2q", weights).manifest.sections }
}

/// What `body` throws, nil where it throws nothing.
func thrown(_ body: () throws -> Void) -> (any Error)? {
  do {
    try body()
    return nil
  } catch {
    return error
  }
}
