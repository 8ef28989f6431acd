import VL2Run

/// Keeps the outputs of all stages of one forward pass.
package final class StageRecorder: StageObserver {
  /// What was observed, in the order of first appearance.
  package private(set) var stages: [String] = []
  package private(set) var floats: [String: (columns: Int, values: [Float])] = [:]
  package private(set) var integers: [String: (columns: Int, values: [Int64])] = [:]
  package init() {}

  package func observe(_ stage: String, _ rows: Rows) {
    if floats[stage] == nil {
      stages.append(stage)
      floats[stage] = (rows.columns, [])
    }
    for row in 0..<rows.count {
      floats[stage]!.values.append(contentsOf: UnsafeBufferPointer(start: rows[row], count: rows.columns))
    }
  }

  package func observeRoutes(layer: Int, experts: [Int32], weights: [Float], perRow: Int) {
    let (ids, shares) = ("route.\(layer).experts", "route.\(layer).weights")
    if integers[ids] == nil {
      stages += [ids, shares]
      integers[ids] = (perRow, [])
      floats[shares] = (perRow, [])
    }
    integers[ids]!.values.append(contentsOf: experts.map(Int64.init))
    floats[shares]!.values.append(contentsOf: weights)
  }
}
