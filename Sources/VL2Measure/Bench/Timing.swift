/// Seconds that `body` takes.
func seconds(_ body: () throws -> Void) rethrows -> Double {
  let took = try ContinuousClock().measure(body).components
  return Double(took.seconds) + Double(took.attoseconds) * 1e-18
}

func median(_ values: [Double]) -> Double {
  let sorted = values.sorted()
  let middle = sorted.count / 2
  return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}
