import VL2Run

/// Asks an engine many questions, half of them cancelled at some moment. Prints, after a tenth of the questions and after
/// all: the memory that belongs to this process alone (the median after each of the last 20 questions, since what is kept
/// goes up and down), the bytes that are kept, how many questions were cancelled, and a number that depends on the texts
/// of all answers that were not.
///
/// Usage: EngineSoak MODEL QUESTIONS [BYTES]      with so many bytes of memory for everything
@main struct EngineSoak {
  static func main() async throws {
    let words = CommandLine.arguments
    let count = Int(words[2]) ?? 1000
    let memory = words.count > 3 ? Int(words[3]).map(MemoryChoice.bytes) : nil
    let engine = try await Engine(
      path: words[1], options: RuntimeOptions(threads: 2, memory: memory ?? .mapped), keeping: 4 << 20)
    let sessions = (0..<3).map { _ in engine.session() }
    var random = SystemRandomNumberGenerator()
    var cancelled = 0
    var digest: UInt64 = 0
    var memories: [Int] = []
    for number in 1...count {
      let question = question(number)
      // What is remembered of a conversation grows until the context is full.
      if number % 50 == 0 { for session in sessions { session.forget() } }
      // Some of those that are cancelled belong to sessions, and some wait for another question.
      let isCancelled = number % 2 == 0
      let events = number % 4 == 0 ? sessions[number % 3].answer(question) : engine.answer(question)
      let blocking = number % 10 == 0 ? engine.answer(Question("Wait.", maxTokens: 8)) : nil
      var left = isCancelled ? Int.random(in: 0...8, using: &random) : .max
      for await event in events {
        if left == 0 { events.cancel() }
        left -= 1
        guard case .done(let answer) = event else { continue }
        if let error = answer.error { throw error }
        if answer.ending == .cancelled { cancelled += 1 }
        if !isCancelled { for byte in answer.text.utf8 { digest = digest &* 31 &+ UInt64(byte) } }
      }
      _ = try await blocking?.answer()
      var meter = MemoryMeter()
      meter.sample()
      memories = memories.suffix(19) + [meter.peaks.anonymous]
      if number == count / 10 || number == count {
        let median = memories.sorted()[memories.count / 2]
        print(median, try await engine.keptBytes(), cancelled, digest)
      }
    }
  }

  private static func question(_ number: Int) -> Question {
    var question = Question(
      "Number \(number)? " + String(repeating: "a ", count: number % 60),
      pictures: number % 3 == 0 ? [noise(number % 40)] : [], maxTokens: 6)
    question.caller = number % 5 == 0 ? .camera : .person
    return question
  }

  /// A picture like no other.
  private static func noise(_ seed: Int) -> Picture {
    let pixels = (0..<200 * 150 * 3).map { UInt8(truncatingIfNeeded: ($0 &* 2_654_435_761 &+ seed) >> 7) }
    return Picture(width: 200, height: 150, pixels: pixels)
  }
}
