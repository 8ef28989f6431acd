import VL2Base

/// Statistics made ready for packing.
package struct PackingCalibration: Sendable {
  package let importance: ColumnImportance
  /// What a packed file says about them.
  package let origin: Manifest.Origin.Statistics

  /// - Parameter path: the statistics' file.
  /// - Throws: `InputError`, `CheckpointError` and `CalibrationError` for statistics that are not of this checkpoint or not
  ///   in order.
  package init(_ path: String, for checkpoint: Checkpoint, balance: ColumnImportance.Balance = .equal) throws
  {
    let statistics = try CalibrationFile.read(path, for: try CalibratedModel(checkpoint))
    importance = ColumnImportance(statistics, balance: balance)
    let runs = statistics.runs
    func sum(_ count: (CalibrationRun) -> Int) -> Int { runs.reduce(0) { $0 + count($1) } }
    origin = .init(
      sha256: try CalibrationFile.hash(path), pictures: sum(\.pictures), questions: sum(\.questions),
      texts: sum(\.texts), tokens: sum { $0.pictureTokens + $0.textTokens + $0.answerTokens })
  }
}
