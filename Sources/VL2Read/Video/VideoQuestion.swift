import VL2Base
import VL2Run

/// A question about a video: pictures of it, each with its time before it.
package struct VideoQuestion: Sendable {
  /// When the pictures were, in seconds, and the pictures.
  package let frames: [(seconds: Double, picture: Picture)]

  /// Pictures that are asked about together, where nobody says how many.
  package static let usual = 8

  package init(_ samples: [VideoFrames.Sample]) throws {
    frames = try samples.map { ($0.seconds, try Picture(data: $0.picture, name: "a frame")) }
  }

  /// The parts of the question's turn.
  package static func parts(_ frames: [(seconds: Double, picture: Picture)], _ text: String) -> [Turn.Part] {
    frames.flatMap { frame -> [Turn.Part] in
      [.text(VideoTime.text(frame.seconds) + ": "), .picture(frame.picture), .text("\n")]
    } + [.text(text)]
  }

  /// How many pictures a context has room for, with a question and an answer.
  ///
  /// - Parameters:
  ///   - question: without turns.
  ///   - text: what is asked.
  ///   - most: more are not counted.
  /// - Throws: `QuestionError`.
  package static func room(for question: Question, _ text: String, atMost most: Int, _ engine: Engine)
    async throws
    -> Int
  {
    // Any picture has as many tokens as another where there are more than two. The time is as long as one gets.
    let picture = Picture(width: 2, height: 2, pixels: [UInt8](repeating: 255, count: 12))
    let answer = min(question.maxTokens, engine.contextLength / 4)
    func fits(_ count: Int) async throws -> Bool {
      var question = question
      let frames = Array(repeating: (seconds: VideoFrames.longest - 1, picture: picture), count: count)
      question.turns.append(Turn(role: .user, parts: parts(frames, text)))
      do {
        return try await engine.promptTokens(of: question) + answer <= engine.contextLength
      } catch is PromptError {
        return false
      }
    }
    var (low, high) = (0, most + 1)
    while high - low > 1 {
      let middle = (low + high) / 2
      if try await fits(middle) { low = middle } else { high = middle }
    }
    return low
  }
}
