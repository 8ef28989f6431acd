import VL2Base
import VL2Run

/// How the time that `vl2 bench` measures is spent.
package struct StageTimes {
  /// Writing, a prompt, or a tile.
  package struct Part {
    package var name: String
    /// What `seconds`, `jobs` and everything else are divided by: the number of tokens written, or 1.
    package var count: Int
    package var seconds: Double
    package var stages: [(stage: StageClock.Stage, sum: StageClock.Sum)]
  }
  package private(set) var parts: [Part] = []
  package var int8OperationsPerSecond: Double
  package var readBytesPerSecond: Double

  /// Measures each part once, after a run that does not count.
  package init(_ model: Model) throws {
    var random = RandomBits(state: 512)
    let decoding = try DecoderTiming(model, random: &random)
    let processor = model.config.processor
    let side = processor.candidateResolutions[0].width
    let tile = TiledPicture(
      random.picture(width: side, height: side), candidates: [.init(width: side, height: side)],
      mean: processor.imageMean)
    let clock = StageClock()
    let pool = model.arithmetic.pool
    func measure(_ name: String, _ count: Int, _ body: () throws -> Void) throws -> Part {
      pool.clock = nil
      try body()
      pool.clock = clock
      _ = clock.take()
      let took = try seconds(body)
      defer { pool.clock = nil }
      return Part(name: name, count: count, seconds: took, stages: clock.take())
    }
    parts.append(
      try measure("writing a token at context 0", decoding.written) { try decoding.decode(far: false) })
    parts.append(try measure("prompt of \(decoding.prompt) tokens", 1) { try decoding.prefill() })
    parts.append(try measure("one tile", 1) { _ = try model.encode(tile) })
    var peak = PeakSpeed(pool: pool)
    for _ in 0..<3 { peak.measure() }
    int8OperationsPerSecond = peak.int8
    let reading = try ReadSpeed(model.file, TokenWeights(model.file), pool: pool)
    var sum: UInt64 = 0
    let took = seconds { for _ in 0..<decoding.written { sum &+= reading.pass() } }
    withExtendedLifetime(sum) {}
    readBytesPerSecond = Double(reading.bytes * decoding.written) / took
  }
}
