/// A conversation: questions and answers in turn, with the pictures they are about.
///
/// When the model's context is full, the oldest questions are dropped first, with their answers and pictures.
public struct Conversation {
  /// A question, its pictures and its answer.
  public struct Exchange: Sendable {
    /// As the user wrote it.
    public var question: String
    public var pictures: [Picture]
    /// The most tiles of each picture. They are fixed when the picture is first encoded, so that it need not
    /// be encoded again.
    fileprivate var tiles: [Int]
    public var answer: String
    fileprivate var tokens: [Int]
  }

  public var system: String?
  public private(set) var exchanges: [Exchange] = []
  /// The most tokens of an answer, and how they are picked.
  public var maxTokens: Int
  public var sampling: Sampling
  /// How many tiles the pictures of the next question may have. Pictures of earlier questions keep their tiles.
  public var tileLimit = TileLimit.context

  private let session: Session

  /// - Parameter session: a session that caches, so that each question costs only its own tokens.
  public init(_ session: Session, system: String? = nil, maxTokens: Int = 512, sampling: Sampling = .greedy) {
    self.session = session
    self.system = system
    self.maxTokens = maxTokens
    self.sampling = sampling
  }

  /// The next question, and how much of the conversation has to be dropped to make room for it.
  public struct Next {
    public var request: Session.Request
    public var plan: TilePlan
    /// How many of the oldest exchanges no longer fit beside the question.
    public var forgotten: Int
    fileprivate var question: String
    fileprivate var pictures: [Picture]
  }

  /// Lays out the next question.
  ///
  /// - Throws: `PromptError` where the question does not fit even alone.
  public func next(_ question: String, pictures: [Picture] = []) throws -> Next {
    var forgotten = 0
    while true {
      let request = request(question, pictures, after: exchanges.dropFirst(forgotten))
      do {
        let plan = try session.plan(request)
        if plan.promptTokens > session.promptRoom(maxTokens), forgotten < exchanges.count {
          forgotten += 1
          continue
        }
        return Next(
          request: request, plan: plan, forgotten: forgotten, question: question, pictures: pictures)
      } catch let error as PromptError {
        guard case .tooLong = error, forgotten < exchanges.count else { throw error }
        forgotten += 1
      }
    }
  }

  /// Asks the question that `next` laid out.
  ///
  /// - Parameters: as `Session.answer`.
  /// - Throws: what `Session.answer` throws; the conversation is then unchanged.
  public mutating func ask(
    _ next: Next, onText: (String) -> Bool = { _ in true },
    onProgress: (Session.Progress) throws -> Void = { _ in }
  ) throws -> Session.Answer {
    let answer = try session.answer(next.request, onText: onText, onProgress: onProgress)
    exchanges.removeFirst(next.forgotten)
    var tiles = answer.plan.tiles[...]
    for index in exchanges.indices {
      exchanges[index].tiles = Array(tiles.prefix(exchanges[index].pictures.count))
      tiles = tiles.dropFirst(exchanges[index].pictures.count)
    }
    exchanges.append(
      Exchange(
        question: next.question, pictures: next.pictures, tiles: Array(tiles), answer: answer.text,
        tokens: answer.tokens))
    return answer
  }

  /// Forgets everything but the system text.
  public mutating func reset() { exchanges = [] }

  private func request(
    _ question: String, _ pictures: [Picture], after earlier: ArraySlice<Exchange>
  ) -> Session.Request {
    func marked(_ text: String, _ pictures: [Picture]) -> String {
      String(repeating: "<image>\n", count: pictures.count) + text
    }
    var turns = system.map { [Turn(role: .system, text: $0)] } ?? []
    for exchange in earlier {
      turns.append(Turn(role: .user, text: marked(exchange.question, exchange.pictures)))
      turns.append(Turn(role: .assistant, text: exchange.answer, tokens: exchange.tokens))
    }
    turns.append(Turn(role: .user, text: marked(question, pictures)))
    var request = Session.Request(
      turns: turns, pictures: earlier.flatMap(\.pictures) + pictures, maxTokens: maxTokens, sampling: sampling
    )
    request.tileLimit = tileLimit
    request.fixedTiles = earlier.flatMap(\.tiles)
    return request
  }
}
