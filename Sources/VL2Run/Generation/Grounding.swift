/// The names and boxes of an answer, and notes on what was left out.
public struct Grounding: Sendable, Equatable {
  public var spans: [GroundedSpan]
  public var notes: [GroundingNote]

  /// Reads a whole text; `GroundedSpanReader` says what counts.
  public init(_ text: String) {
    var reader = GroundedSpanReader()
    spans = reader.append(text) + reader.finish()
    notes = reader.notes
  }

  init(spans: [GroundedSpan], notes: [GroundingNote]) {
    self.spans = spans
    self.notes = notes
  }

  /// The question that makes the model answer with boxes for a description.
  ///
  /// Source: deepseek-ai/DeepSeek-VL2, README, "Visual grounding".
  public static func question(for description: String) -> [Turn.Part] {
    [.trusted("<|ref|>"), .text(description), .trusted("<|/ref|>.")]
  }

  /// What comes first in a question whose answer is to have boxes for whatever it names.
  ///
  /// Source: deepseek-ai/DeepSeek-VL2, README, "Grounded conversation".
  public static var namingMark: Turn.Part { .trusted("<|grounding|>") }
}
