import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Run

@Suite struct WritingThreadsTests {
  /// Writes tokens on a machine on which a number of threads takes so long.
  ///
  /// - Returns: what all tokens took.
  @discardableResult private func write(
    _ tokens: Int, _ writing: inout WritingThreads, _ seconds: (Int) -> Double
  ) -> Double {
    var all = 0.0
    for _ in 0..<tokens {
      let took = seconds(writing.next)
      all += took
      writing.wrote(seconds: took)
    }
    return all
  }

  /// Two threads are enough where they use up the memory.
  @Test(arguments: [3, 4, 8]) func twoAreEnough(all: Int) {
    var writing = WritingThreads(all: all, isFixed: false)
    #expect(writing.next == all && writing.known == nil)
    write(100, &writing) { [1: 1.6][$0] ?? 1 }
    #expect(writing.chosen == 2 && writing.known == 2 && writing.next == 2)
  }

  /// Where each thread counts, all write, and finding that out costs about one token.
  @Test(arguments: [2, 4, 8, 64]) func allAreNeeded(all: Int) {
    var writing = WritingThreads(all: all, isFixed: false)
    let took = write(250, &writing) { 1 / Double(min($0, 4)) }
    #expect(writing.chosen == all && writing.known == all)
    let best = 250 / Double(min(all, 4))
    #expect(took <= best + 1)
    // Again and again, it stays below a hundredth.
    let later = write(10_000, &writing) { 1 / Double(min($0, 4)) }
    #expect(later <= 10_000 / Double(min(all, 4)) * 1.005)
  }

  /// Never slower than one thread: where another program is busy, threads wait for the one that does not run.
  @Test func oneIsFastest() {
    var writing = WritingThreads(all: 2, isFixed: false)
    write(60, &writing) { $0 == 1 ? 1 : 1.2 }
    #expect(writing.chosen == 1)
    // A little faster is not enough.
    var close = WritingThreads(all: 2, isFixed: false)
    write(60, &close) { $0 == 1 ? 0.98 : 1 }
    #expect(close.chosen == 2)
  }

  /// A choice that was right once is given up when it is no longer.
  @Test func timesChange() {
    var writing = WritingThreads(all: 4, isFixed: false)
    write(60, &writing) { $0 == 1 ? 1 : 3 }
    #expect(writing.chosen == 1)
    write(400, &writing) { 1 / Double($0) }
    #expect(writing.chosen == 4)
  }

  /// What disturbs single tokens changes nothing.
  @Test func disturbances() {
    var random = SplitMix64(seed: 5)
    for _ in 0..<50 {
      var writing = WritingThreads(all: 4, isFixed: false)
      write(40, &writing) { threads in
        (threads == 1 ? 2 : 1) + (random.next() % 4 == 0 ? 5 : 0)
      }
      // In doubt all of them write.
      #expect([2, 4].contains(writing.chosen))
    }
  }

  @Test func whatIsRemembered() {
    var writing = WritingThreads(all: 4, isFixed: false)
    for nonsense in [-1, 0, 3, 5, Int.max] { writing.remember(nonsense) }
    #expect(writing.known == nil && writing.next == 4)
    writing.remember(2)
    #expect(writing.known == 2 && writing.next == 2)
    // It may have been found when the machine was busy, so that it is soon tried again.
    write(60, &writing) { 1 / Double($0) }
    #expect(writing.chosen == 4)
    // What is known is not overwritten.
    writing.remember(1)
    #expect(writing.chosen == 4)
  }

  /// Whoever asks for a number of threads gets it.
  @Test func asked() {
    var writing = WritingThreads(all: 4, isFixed: true)
    writing.remember(2)
    write(3000, &writing) { threads in
      #expect(threads == 4)
      return threads == 1 ? 1 : 2
    }
    #expect(writing.chosen == 4 && writing.known == nil)
    var alone = WritingThreads(all: 1, isFixed: false)
    write(3000, &alone) { Double($0) }
    #expect(alone.chosen == 1 && !alone.isTrying)
  }

  /// While numbers are tried, the model writes what one thread writes, to the last bit.
  @Test func noBitDependsOnIt() throws {
    let path = try PackedModels.path("nano-mha", .q4)
    let (one, free) = (
      try Model(path: path, options: RuntimeOptions(threads: 1)),
      try Model(path: path, options: RuntimeOptions())
    )
    let threads = Processors.system.answering
    #expect(free.threads == threads)
    func readings(_ model: Model) throws -> Reading {
      try Reading(tokens: [5, 7, 11], written: 64, model: model)
    }
    let (first, second) = (try readings(one), try readings(free))
    _ = (try first.logits(), try second.logits())
    var written: [Int] = []
    for token in 0..<60 {
      written.append(20 + token)
      let (a, b) = (try first.logits(after: written), try second.logits(after: written))
      for column in 0..<a.columns { #expect(a[0][column].bitPattern == b[0][column].bitPattern) }
    }
    #expect(one.decoder.writing.known == nil)
    #expect((free.decoder.writing.known == nil) == (threads == 1))
  }
}
