/// Seconds that `body` takes.
func seconds(_ body: () throws -> Void) rethrows -> Double {
  let took = try ContinuousClock().measure(body).components
  return Double(took.seconds) + Double(took.attoseconds) * 1e-18
}

/// The median of what `measure` returns in `runs` runs, after one that does not count: it faults pages in and
/// grows buffers.
func medianSeconds(_ runs: Int, _ measure: () throws -> Double) rethrows -> Double {
  _ = try measure()
  return median(try (0..<runs).map { _ in try measure() })
}

func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
