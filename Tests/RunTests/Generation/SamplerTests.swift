import Testing
import VL2Run

@Suite struct SamplerTests {
  private func pick(_ logits: [Float], _ sampler: inout Sampler, allowed: TokenSet? = nil) -> Int {
    var logits = logits
    return logits.withUnsafeMutableBufferPointer { sampler.pick($0, allowed: allowed) }
  }

  private func counts(_ logits: [Float], _ sampling: Sampling, draws: Int, allowed: TokenSet? = nil) -> [Int]
  {
    var sampler = Sampler(sampling)
    var counts = [Int](repeating: 0, count: logits.count)
    for _ in 0..<draws { counts[pick(logits, &sampler, allowed: allowed)] += 1 }
    return counts
  }

  @Test func greedy() {
    var sampler = Sampler(.greedy)
    #expect(pick([1, 5, 5, 2], &sampler) == 1)
  }

  /// Logits of ln 1, ln 2, ln 5 at temperature 1 come up 1 : 2 : 5 times; at temperature 0.5, 1 : 4 : 25.
  @Test func frequencies() {
    let logits: [Float] = [0, 0.693_147_2, 1.609_437_9]
    let plain = counts(logits, Sampling(temperature: 1, seed: 1), draws: 8000)
    #expect((900...1100).contains(plain[0]) && (1850...2150).contains(plain[1]), "\(plain)")
    let colder = counts(logits, Sampling(temperature: 0.5, seed: 1), draws: 3000)
    #expect((70...135).contains(colder[0]) && (330...470).contains(colder[1]), "\(colder)")
  }

  /// The nucleus is the fewest tokens that reach the probability.
  @Test func nucleus() {
    let logits: [Float] = [0, 0.693_147_2, 1.609_437_9]
    func drawn(_ topP: Float) -> [Bool] {
      counts(logits, Sampling(temperature: 1, topP: topP, seed: 2), draws: 300).map { $0 > 0 }
    }
    #expect(drawn(0.01) == [false, false, true])
    #expect(drawn(0.62) == [false, false, true])
    #expect(drawn(0.63) == [false, true, true])
    #expect(drawn(0.88) == [true, true, true])
  }

  @Test func penalty() {
    var sampler = Sampler(Sampling(repetitionPenalty: 2))
    #expect(pick([3, 2, -1], &sampler) == 0)
    #expect(pick([3, 2, -1], &sampler) == 1)
    // 1.5, 1 and -1: the first again.
    #expect(pick([3, 2, -1], &sampler) == 0)
    #expect(pick([-3, -3.5, -2], &sampler) == 2)
    // Both -6, -7 and -4 are penalised now.
    #expect(pick([-3, -3.5, -2], &sampler) == 2)
  }

  /// The prompt's tokens count like those of the answer, each once.
  @Test func penaltyOfThePrompt() {
    var sampler = Sampler(Sampling(repetitionPenalty: 2), prompt: [0, 0, 7, 2])
    // 1.5, 1.4 and -2, then 1.25, 1.4 and -2, then 1.25, 0.7 and -2.
    #expect(pick([3, 1.4, -1], &sampler) == 0)
    #expect(pick([2.5, 1.4, -1], &sampler) == 1)
    #expect(pick([2.5, 1.4, -1], &sampler) == 0)
    var plain = Sampler(.greedy, prompt: [0])
    #expect(pick([3, 2.9, -1], &plain) == 0)
  }

  @Test func allowedTokensOnly() {
    var allowed = TokenSet(count: 130)
    allowed.insert(3)
    allowed.insert(129)
    var logits = [Float](repeating: 9, count: 130)
    logits[129] = 1
    logits[3] = 0
    var greedy = Sampler(.greedy)
    #expect(pick(logits, &greedy, allowed: allowed) == 129)
    let drawn = counts(logits, Sampling(temperature: 1, seed: 3), draws: 400, allowed: allowed)
    #expect(drawn[3] > 50 && drawn[129] > 150 && drawn[3] + drawn[129] == 400)
    // Nothing but impossible logits: still an allowed one.
    let impossible = [Float](repeating: -.infinity, count: 130)
    #expect(pick(impossible, &greedy, allowed: allowed) == 3)
  }

  /// Logits that are no numbers give some token, and no crash.
  @Test func notNumbers() {
    var sampler = Sampler(Sampling(temperature: 1, topP: 0.5, seed: 1))
    #expect((0..<3).contains(pick([.nan, .nan, .nan], &sampler)))
    #expect((0..<3).contains(pick([.infinity, .infinity, 0], &sampler)))
    var tiny = Sampler(Sampling(temperature: 1e-38, seed: 1))
    #expect(pick([1, 3, 2], &tiny) == 1)
  }

  @Test func loops() {
    func end(_ tokens: some Sequence<Int>) -> Int? {
      var watch = LoopWatch()
      return tokens.enumerated().first { watch.append($0.element) }?.offset
    }
    #expect(end(repeatElement(7, count: 200)) == 63)
    #expect(end((0..<900).map { $0 % 10 }) == 63)
    #expect(end((0..<900).map { $0 % 40 }) == 239)
    #expect(end([5, 5, 5, 9] + (0..<900).map { $0 % 40 }) == 243)
    // Too long a cycle, five rounds only, and a table with equal cells.
    #expect(end((0..<2000).map { $0 % 65 }) == nil)
    #expect(end((0..<200).map { $0 % 40 }) == nil)
    #expect(end((0..<30).flatMap { row in Array(repeating: 1, count: 20) + [100 + row] }) == nil)
  }
}
