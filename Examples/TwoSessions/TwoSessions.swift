// The example of Sources/VL2Run/VL2Run.docc, word for word. It uses nothing but the public interface
// (`packageAccess: false` in Package.swift).
// example begins
import VL2Run

/// Asks about a photo, and has a question about another one given up after its first words.
@main struct TwoSessions {
  static func main() async throws {
    let words = CommandLine.arguments
    guard words.count == 4 else { return print("usage: TwoSessions MODEL PHOTO OTHER-PHOTO") }
    let engine = try await Engine(path: words[1])
    let talk = engine.session(system: "Answer in one sentence.")
    let other = engine.session()

    var first = Question("What is in the picture?", pictures: [try Picture(contentsOf: words[2])])
    first.sampling = Sampling(temperature: 0.7, topP: 0.9, seed: 1)
    let second = Question("Describe it at length.", pictures: [try Picture(contentsOf: words[3])])
    // Both questions are with the engine now; it answers one after the other.
    let (answer, given) = (talk.answer(first), other.answer(second))

    for await event in answer {
      switch event {
      case .text(let text, _): print(text, terminator: "")
      case .done(let answer): print("\n[\(answer.ending), \(answer.counts.readTokens) tokens read]")
      default: break
      }
    }
    for await event in given {
      switch event {
      case .text: given.cancel()
      case .done(let answer): print("[\(answer.ending)]")
      default: break
      }
    }
    // The talk goes on: what was asked and answered is not read again.
    let next = try await talk.answer(Question("Which colours are there?", maxTokens: 32)).answer()
    print(next.text, "\n[\(next.counts.cachedTokens) of \(next.counts.promptTokens) tokens were known]")
  }
}
// example ends
