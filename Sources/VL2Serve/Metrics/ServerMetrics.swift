import VL2Base
import VL2Run

/// Counts what a server does. Labels have few values, and none that a client chose.
final class ServerMetrics: Sendable {
  private struct RequestKey: Hashable {
    var route: String
    var status: Int
  }

  private struct AnswerKey: Hashable {
    var route: String
    var outcome: AnswerOutcome
  }

  /// In the order in which they come.
  private enum Stage: String, CaseIterable { case queued, tiling, vision, prefill, decode }

  private struct State {
    var requests: [RequestKey: Int] = [:]
    var unreadable = 0
    var connections = 0
    var opened = 0
    var received = 0
    var sent = 0
    var answers: [AnswerKey: Int] = [:]
    var (read, cached, written) = (0, 0, 0)
    var (pictures, tiles) = (0, 0)
    var stages = [Stage: Histogram](uniqueKeysWithValues: Stage.allCases.map { ($0, .seconds) })
    var firstWords = Histogram.seconds
    var whole = Histogram.seconds
  }

  private let state: Monitor<State>

  /// - Parameter answerRoutes: those whose requests are questions; from the start on they have every outcome, so that the
  ///   first one is seen as a change.
  init(answerRoutes: [String]) {
    var first = State()
    for route in answerRoutes {
      for outcome in AnswerOutcome.allCases { first.answers[.init(route: route, outcome: outcome)] = 0 }
    }
    state = Monitor(first)
  }

  // MARK: counting

  func note(connections change: Int) {
    state.withLock { state in
      state.connections += change
      if change > 0 { state.opened += change }
    }
  }

  func noteUnreadable() { state.withLock { $0.unreadable += 1 } }

  func note(_ end: RequestEnd, route: String) {
    state.withLock { state in
      state.requests[.init(route: route, status: end.status), default: 0] += 1
      state.received += end.receivedBytes
      state.sent += end.sentBytes
    }
  }

  func count(_ outcome: AnswerOutcome, route: String) {
    state.withLock { $0.answers[.init(route: route, outcome: outcome), default: 0] += 1 }
  }

  /// Counts a question that the engine was asked. A stage counts where it took place.
  func note(
    _ answer: Answer, _ watch: AnswerWatch, _ outcome: AnswerOutcome, hadItsTurn: Bool, pictures: Int
  ) {
    let (counts, seconds, seen, whole) = (answer.counts, answer.counts.seconds, watch.seen, watch.seconds)
    // A prompt that was not read to its end has no tokens of an answer.
    let read = counts.writtenTokens > 0 || !outcome.isCut ? counts.readTokens : seen.readTokens
    state.withLock { state in
      state.answers[.init(route: watch.route, outcome: outcome), default: 0] += 1
      state.stages[.queued]?.observe(seconds.queued)
      guard hadItsTurn else { return }
      state.read += read
      state.cached += counts.cachedTokens
      state.written += counts.writtenTokens
      state.pictures += pictures
      state.tiles += counts.tiles
      if counts.tiles > 0 {
        state.stages[.tiling]?.observe(seconds.tiling)
        state.stages[.vision]?.observe(seconds.vision)
      }
      if read > 0 { state.stages[.prefill]?.observe(seconds.prefill) }
      if counts.writtenTokens > 0 { state.stages[.decode]?.observe(seconds.decode) }
      if let first = seen.firstWordSeconds { state.firstWords.observe(first) }
      state.whole.observe(whole)
    }
  }

  // MARK: telling

  func write(to text: inout MetricsText) {
    let state = state.withLock { $0 }
    text.add(
      "vl2_http_requests_total", .counter,
      "Requests whose head could be read, by route and status. 499: the connection ended before there was a response.",
      state.requests.sorted { ($0.key.route, $0.key.status) < ($1.key.route, $1.key.status) }.map {
        ([("route", $0.key.route), ("status", "\($0.key.status)")], Double($0.value))
      })
    text.add(
      "vl2_http_unreadable_requests_total", .counter,
      "Requests whose head did not come whole, or is none.", state.unreadable)
    text.add("vl2_http_connections", .gauge, "Open connections.", state.connections)
    text.add("vl2_http_connections_opened_total", .counter, "Connections that were opened.", state.opened)
    text.add(
      "vl2_http_request_body_bytes_total", .counter, "Bytes of bodies that clients sent.", state.received)
    text.add(
      "vl2_http_response_body_bytes_total", .counter, "Bytes of bodies that went to clients.", state.sent)
    text.add(
      "vl2_answers_total", .counter, "Questions by route, and by how they ended.",
      state.answers.sorted {
        ($0.key.route, $0.key.outcome.rawValue) < ($1.key.route, $1.key.outcome.rawValue)
      }.map { ([("route", $0.key.route), ("outcome", $0.key.outcome.rawValue)], Double($0.value)) })
    text.add(
      "vl2_tokens_total", .counter,
      "Tokens: read are those of prompts that went through the decoder, cached those that had been read before.",
      [("read", state.read), ("cached", state.cached), ("written", state.written)].map {
        ([("kind", $0)], Double($1))
      })
    text.add("vl2_pictures_total", .counter, "Pictures of questions whose turn came.", state.pictures)
    text.add("vl2_tiles_total", .counter, "Tiles that went through the vision tower.", state.tiles)
    text.add(
      "vl2_answer_stage_seconds", "Seconds of the stages of answers, each where it took place.",
      Stage.allCases.compactMap { stage in state.stages[stage].map { ([("stage", stage.rawValue)], $0) } })
    text.add(
      "vl2_answer_first_word_seconds", "Seconds from a question's arrival to the first word.",
      [([], state.firstWords)])
    text.add(
      "vl2_answer_seconds", "Seconds from the arrival to the end of questions whose turn came.",
      [([], state.whole)])
  }
}

extension AnswerOutcome {
  /// Whether the prompt may not have been read to its end.
  fileprivate var isCut: Bool {
    switch self {
    case .complete, .stop, .context, .loop, .maxTokens: false
    default: true
    }
  }
}
