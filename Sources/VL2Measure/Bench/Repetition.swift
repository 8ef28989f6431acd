/// How often something is measured.
package struct Repetition: Sendable {
  /// Runs that count, at the most.
  package var runs: Int
  /// After how many seconds no further run begins; the first one counts then, if there was no other.
  package var seconds: Double

  /// - Parameter seconds: nil for as long as it takes.
  package init(runs: Int, seconds: Double? = nil) {
    self.runs = runs
    self.seconds = seconds ?? .infinity
  }

  /// What `measure` returns in several runs. One more comes before them and does not count, because it faults pages in and
  /// grows buffers; where it alone took all the time, it has to do.
  package func values(_ measure: () throws -> Double) rethrows -> [Double] {
    let end = ContinuousClock.now + .seconds(min(seconds, 1e9))
    let first = try measure()
    var values: [Double] = []
    while values.count < runs, ContinuousClock.now < end {
      values.append(try measure())
    }
    return values.isEmpty ? [first] : values
  }

  package func median(_ measure: () throws -> Double) rethrows -> Double {
    VL2Measure.median(try values(measure))
  }
}
