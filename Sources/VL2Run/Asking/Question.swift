import VL2Base

/// A question with everything that its answer depends on.
public struct Question: Sendable {
  /// System's, user's and assistant's turns. The last one is the user's, or after it an assistant's: how the answer
  /// begins. The model goes on from there, and the beginning is not part of the answer's text.
  public var turns: [Turn]
  /// The most tokens to write.
  public var maxTokens: Int
  public var sampling: Sampling
  /// Texts before which the answer ends; they are not part of it.
  public var stops: [String] = []
  /// Whether to end an answer that repeats itself over and over (`LoopWatch`).
  public var stopsLoops = true
  /// What the answer may be.
  public var form = AnswerForm.free
  /// The most tiles that pictures are cut into.
  public var tileLimit = TileLimit.context
  /// Whether tiles that look as in the picture that was asked about before keep their encoding: what a camera shows is
  /// mostly as it was. It needs an engine that keeps something (`Engine.init`).
  public var reuse = TileReuse.off
  /// How many of the likeliest tokens to tell for each token that is written, with probabilities, at most 64; nil for
  /// no probabilities.
  public var likeliestTokens: Int?
  /// The most seconds for everything, waiting included; nil for as many as it takes. An answer under a schema that has
  /// begun by then is completed on the shortest way, at once.
  public var timeLimit: Double?
  public var caller = Caller.person
  /// Whether an assistant's text that the engine wrote lately is read as the tokens that it wrote then. Without, the answer
  /// depends on the question alone, not on what was asked before.
  package var readsAnswersAsWritten = true

  public init(_ turns: [Turn], maxTokens: Int = 512, sampling: Sampling = .greedy) {
    self.turns = turns
    self.maxTokens = maxTokens
    self.sampling = sampling
  }

  /// A question of one turn: pictures, then the text.
  public init(
    _ text: String, pictures: [Picture] = [], maxTokens: Int = 512, sampling: Sampling = .greedy
  ) {
    self.init([.user(text, pictures: pictures)], maxTokens: maxTokens, sampling: sampling)
  }
}

/// What an answer may be.
public enum AnswerForm: Sendable {
  case free
  /// A JSON text of a schema; it is complete before `maxTokens` are written.
  case schema(JSONSchema)
  /// None is written: each of these is weighed instead (`Answer.choices`).
  case choices([String])
}

/// Who waits for an answer.
public enum Caller: Sendable {
  /// Goes first.
  case person
  /// Waits for people, and gives way to them while it is answered.
  case camera
}

/// A question that contradicts itself.
public enum QuestionError: ReportableError, Equatable {
  /// No turn of the user is at the end, or before the beginning of the answer.
  case noQuestion
  /// A schema or choices cannot go on from a given beginning of the answer.
  case beginningWithForm
  /// The tiles are to fit a time limit, and there is none.
  case tilesWithoutTimeLimit

  public var kind: ErrorKind { .usage }

  public var problem: String {
    switch self {
    case .noQuestion: "the conversation does not end with a turn of the user's"
    case .beginningWithForm: "the beginning of the answer does not go with a schema or choices"
    case .tilesWithoutTimeLimit: "the tiles are to fit into half of a time limit, and there is none"
    }
  }

  public var hint: Hint {
    switch self {
    case .noQuestion: "add a question"
    case .beginningWithForm: "leave one of them out"
    case .tilesWithoutTimeLimit: "set a time limit, or limit the tiles in another way"
    }
  }
}
