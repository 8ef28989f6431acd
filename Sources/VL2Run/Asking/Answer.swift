import VL2Base

/// Why an answer ended.
public enum Ending: String, Sendable, Codable {
  /// The model wrote its end token.
  case complete
  /// One of the question's stop texts came.
  case stop
  /// `maxTokens` were written.
  case maxTokens = "max_tokens"
  /// The context is full.
  case context
  /// The answer repeated itself over and over (`LoopWatch`).
  case loop
  /// The time limit was over.
  case timeLimit = "time_limit"
  /// Whoever asked no longer wants it.
  case cancelled
  /// Something went wrong (`Answer.error`).
  case failed
}

/// An answer and what it took.
public struct Answer: Sendable {
  /// What was written; where the answer ended early, what there is of it.
  public var text: String
  public var ending: Ending
  /// What went wrong, where `ending` is `failed`.
  public var error: (any ReportableError)?
  /// Names and boxes in the text.
  public var grounding: Grounding
  /// The question's choices, the likeliest first; empty for a question without.
  public var choices: ChoiceScores
  /// For each token of the text, where the question asked for it.
  public var probabilities: [TokenProbability] = []
  public var counts: Counts
  /// How many tiles the pictures had; nil for a question that was never looked at.
  public var plan: TilePlan?
  /// How many of the oldest questions of a session were forgotten to make room for this one.
  public var forgotten = 0
  public var memory: MemoryPeaks
  /// Ids of the tokens that were written, without the end token.
  package var tokens: [Int]

  /// What was done for an answer.
  public struct Counts: Sendable, Equatable {
    /// Tokens of the prompt, pictures included.
    public var promptTokens = 0
    /// How many of these had been read before.
    public var cachedTokens = 0
    /// Tokens that were written, without the end token.
    public var writtenTokens = 0
    /// Tiles that went through the vision tower.
    public var tiles = 0
    /// Tiles whose encoding was there: of pictures that had been looked at before, and what `Question.reuse` saved.
    public var reusedTiles = 0
    /// How often tokens of the answer went through the decoder, one or several at once.
    package var writingPasses = 0
    public var seconds = StageSeconds()

    /// Tokens of the prompt that went through the decoder.
    public var readTokens: Int { promptTokens - cachedTokens }
  }
}

/// What happens on the way to an answer.
public enum AnswerEvent: Sendable {
  /// So many questions come first.
  case queued(place: Int)
  /// The question's turn has come, and it is known how closely its pictures will be looked at. `forgotten` of the
  /// oldest questions of a session are dropped to make room.
  case planned(TilePlan, forgotten: Int)
  /// Layers of the vision tower that are done, of all pictures together.
  case looking(layer: Int, of: Int)
  /// Tokens of the prompt that went through the decoder, of those that had not been read before.
  case reading(tokens: Int, of: Int)
  /// More of the text, and the probabilities of its tokens where the question asked for them.
  case text(String, [TokenProbability])
  /// Names with boxes that are complete now. They are in the text too.
  case boxes([GroundedSpan])
  /// The end: nothing is computed for the question any more. Always the last event.
  case done(Answer)
}
