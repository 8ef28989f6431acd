import Synchronization
import VL2Base
import VL2Run

/// Answers OpenAI's and Ollama's requests with an engine.
package final class Server: HTTPService {
  private struct State {
    var engine: Engine?
    var model: ServedModel?
    var speed: SpeedEstimate?
    var deliveries: [ObjectIdentifier: Delivery] = [:]
  }

  private let access: AccessRules
  let limits: AskingLimits
  let log: LogQueue
  let places: Places
  let metrics = ServerMetrics(answerRoutes: Route.allCases.filter(\.isAnswer).map(\.label))
  /// Seconds within which the service manager wants a sign of life; nil where it wants none.
  let watchdogSeconds: Double?
  /// What a camera's loop sees and says; nil where there is none.
  let live: LiveSource?
  /// Makes JPEGs of frames, away from the thread that serves the connections; nil where there is no camera.
  let developing: SerialThread?
  private let state = Monitor(State())
  private let lastEvent = Monitor(ContinuousClock.now)
  /// Pictures are decoded one after the other, so that many large ones at once do not take all memory, and away from the
  /// thread that serves the connections.
  private let intake: SerialThread

  /// - Parameters:
  ///   - watchdogSeconds: within which the service manager wants a sign of life; nil where it wants none.
  ///   - live: what a camera's loop sees and says; nil where there is none.
  ///   - log: is told a line for each request, without anything that was asked or answered. Called on a thread of its own.
  /// - Throws: `ThreadError`.
  package init(
    access: AccessRules, limits: AskingLimits, watchdogSeconds: Double? = nil, live: LiveSource? = nil,
    log: @escaping @Sendable (String) -> Void
  ) throws(ThreadError) {
    self.access = access
    self.limits = limits
    self.log = try LogQueue(log)
    self.watchdogSeconds = watchdogSeconds
    places = Places(waiting: limits.waiting)
    intake = try SerialThread("vl2-intake")
    self.live = live
    if live == nil { developing = nil } else { developing = try SerialThread("vl2-frames") }
  }

  /// From now on questions are answered.
  ///
  /// - Parameter speed: of this machine; with it, pictures are looked at as closely as there is time for.
  package func begin(_ engine: Engine, as model: ServedModel, speed: SpeedEstimate?) {
    state.withLock { state in
      state.engine = engine
      state.model = model
      state.speed = speed
    }
  }

  /// How fast this machine answered.
  package var speed: SpeedEstimate? { state.withLock { $0.speed } }

  /// When something was last done for a question.
  package var lastProgress: ContinuousClock.Instant { lastEvent.withLock { $0 } }

  /// Whether nobody waits for an answer.
  package var isIdle: Bool { places.taken == 0 }

  /// Takes no more questions, and sends those away that have not begun. The one at work may end.
  package func close() {
    places.close()
    live?.close()
    for delivery in state.withLock({ Array($0.deliveries.values) }) { delivery.endIfWaiting() }
  }

  /// Ends all questions; their clients are told.
  package func cancel() {
    for delivery in state.withLock({ Array($0.deliveries.values) }) { delivery.end() }
  }

  // MARK: before the body

  package func refusal(of head: RequestHead) -> HTTPResponse? {
    do {
      try check(head)
      return nil
    } catch {
      return Self.response(RequestError(error), path: head.path)
    }
  }

  package func refusal(status: Int, problem: String) -> HTTPResponse {
    RequestError(
      status: status, type: status == 503 ? "service_unavailable_error" : "invalid_request_error", problem
    )
    .openAIResponse
  }

  private func check(_ head: RequestHead) throws {
    let found = Route.find(head.path)
    let isPublic = found.map { $0.0.isPublic || head.method == "OPTIONS" } ?? false
    if let error = access.refusal(of: head, isPublic: isPublic) { throw error }
    guard let (route, _) = found else {
      throw RequestError(status: 404, "there is nothing at this address", code: "not_found")
    }
    if route.isLive, live == nil {
      throw RequestError(
        status: 404, "this server looks through no camera; start it with --watch CONFIG.yaml",
        code: "no_camera")
    }
    guard head.method == "OPTIONS" || route.methods.contains(head.method) else {
      var error = RequestError(
        status: 405, "this address takes \(route.methods.joined(separator: ", "))", code: "method_not_allowed"
      )
      error.headers = [("Allow", route.allowed)]
      throw error
    }
    if head.method == "POST" { try Self.checkContent(head) }
  }

  private static func checkContent(_ head: RequestHead) throws {
    if let encoding = head.value("content-encoding"), encoding.lowercased() != "identity" {
      throw RequestError(
        status: 415, "the body is compressed; send it as it is", code: "unsupported_encoding")
    }
    let types = head.values("content-type")
    let type = types.first.map { ($0.split(separator: ";").first ?? "").lowercased().filter { $0 != " " } }
    // Pages of other sites can send these without asking first; programs like curl do where nobody tells them more.
    let isFromPage = !head.values("origin").isEmpty || !head.values("sec-fetch-site").isEmpty
    let isPlain = type == nil || type == "application/x-www-form-urlencoded"
    let isJSON = type == "application/json" || type == "application/octet-stream"
    guard types.count <= 1, isJSON || isPlain && !isFromPage else {
      throw RequestError(
        status: 415, "the body has to be of the type application/json", code: "unsupported_content_type")
    }
  }

  private static func response(_ error: RequestError, path: String) -> HTTPResponse {
    path.hasPrefix("/api/") ? error.ollamaResponse : error.openAIResponse
  }

  // MARK: answers

  package func answer(_ request: HTTPRequest, _ exchange: Exchange) {
    do {
      try route(request, exchange)
    } catch {
      refuse(exchange, error)
    }
  }

  func refuse(_ exchange: Exchange, _ error: any Error) {
    let (error, path) = (told(error), exchange.head.path)
    if let route = Route.find(path)?.0, route.isAnswer {
      metrics.count(AnswerOutcome(error), route: route.label)
    }
    exchange.respond(Self.response(error, path: path))
  }

  private func route(_ request: HTTPRequest, _ exchange: Exchange) throws {
    guard let (route, name) = Route.find(request.head.path) else { return }
    if request.head.method == "OPTIONS" {
      return exchange.respond(HTTPResponse(status: 204, headers: [("Allow", route.allowed)]))
    }
    if let response = StaticAnswer.response(to: route, request.head) { return exchange.respond(response) }
    if route == .metrics { return exchange.respond(figures) }
    if route.isLive { return try answerLive(route, request.head, exchange) }
    guard let (engine, model) = serving else {
      var error = RequestError(
        status: 503, type: "unavailable_error", "the model is being loaded", code: "loading")
      error.retryAfter = 2
      throw error
    }
    switch route {
    case .home, .serviceWorker, .webManifest, .pageVersion, .metrics, .ollamaVersion: break
    case .kiosk, .liveFrame, .liveEvents, .liveAsk: break
    case .health, .ready: exchange.respond(HTTPResponse(json: ["status": "ok"]))
    case .models: exchange.respond(HTTPResponse(json: model.openAIList))
    case .model:
      try model.check(name)
      exchange.respond(HTTPResponse(json: model.openAI))
    case .properties: exchange.respond(HTTPResponse(json: model.properties))
    case .ollamaTags: exchange.respond(HTTPResponse(json: model.ollamaTags))
    case .ollamaRunning: exchange.respond(HTTPResponse(json: model.ollamaRunning))
    case .ollamaShow:
      _ = try model.name(in: RequestFields(body: request.body))
      exchange.respond(HTTPResponse(json: model.ollamaDescription))
    case .ollamaPull:
      let fields = try RequestFields(body: request.body)
      _ = try model.name(in: fields)
      let isStreamed = try fields.flag("stream") ?? true
      var response = HTTPResponse(json: ["status": "success"])
      if isStreamed {
        response = HTTPResponse(
          status: 200, contentType: "application/x-ndjson", text: "{\"status\":\"success\"}\n")
      }
      exchange.respond(response)
    case .chat, .countTokens, .responses, .countInput, .ollamaChat, .ollamaGenerate:
      let place = try places.take()
      intake.add { [self] in
        // Whoever is gone needs no pictures decoded.
        if exchange.isGone {
          if route.isAnswer { metrics.count(.cancelled, route: route.label) }
          return
        }
        do {
          try ask(request, route, exchange, engine, model, place)
        } catch {
          place.leave()
          refuse(exchange, error)
        }
      }
    }
  }

  var serving: (Engine, ServedModel)? {
    state.withLock { state in
      guard let engine = state.engine, let model = state.model else { return nil }
      return (engine, model)
    }
  }

  private func told(_ error: any Error) -> RequestError {
    var told = RequestError(error)
    if told.status == 500 { log.add("\((error as? any ReportableError)?.line() ?? "\(error)")") }
    if told.status == 429, told.retryAfter == nil { told.retryAfter = places.retryAfter }
    return told
  }

  private func ask(
    _ request: HTTPRequest, _ route: Route, _ exchange: Exchange, _ engine: Engine, _ model: ServedModel,
    _ place: Place
  ) throws {
    let fields = try RequestFields(body: request.body)
    switch route {
    case .chat, .countTokens:
      let mark = route == .chat ? try BatchMark(request.head) : nil
      try mark?.check(model)
      var chat = try ChatRequest(fields, model: model, limits: limits)
      if let mark { try chat.makeRepeatable(fields, name: mark.name, limits: limits) }
      if route == .chat {
        try ask(
          chat.asked, chat.format, request, route, exchange, engine, place, isOfBatch: mark != nil)
      } else {
        count(chat.asked.question, chat.format, exchange, engine, place)
      }
    case .responses, .countInput:
      let responses = try ResponsesRequest(fields, model: model, limits: limits)
      if route == .responses {
        try ask(responses.asked, responses.format, request, route, exchange, engine, place)
      } else {
        count(responses.asked.question, responses.format, exchange, engine, place)
      }
    default:
      let ollama = try OllamaRequest(
        fields, kind: route == .ollamaChat ? .chat : .generate, model: model, limits: limits)
      guard let asked = ollama.asked else {
        return exchange.respond(ollama.format.loaded(isStreamed: ollama.isStreamed))
      }
      try ask(asked, ollama.format, request, route, exchange, engine, place)
    }
  }

  private func ask(
    _ asked: Asked, _ format: any AnswerFormat, _ request: HTTPRequest, _ route: Route,
    _ exchange: Exchange, _ engine: Engine, _ place: Place, isOfBatch: Bool = false
  ) throws {
    var question = asked.question
    let left = limits.deadline - (ContinuousClock.now - request.head.arrived) / .seconds(1)
    guard left > 0 else { throw late }
    question.timeLimit = left
    if isOfBatch {
      // How closely pictures are looked at must not depend on how fast this machine is.
    } else if let most = limits.mostTiles {
      question.tileLimit = .tiles(most)
    } else if let speed {
      question.tileLimit = .halfOfTimeLimit(at: speed)
    }
    let watch = AnswerWatch(route: route.label, arrived: request.head.arrived)
    exchange.leaveLineToAnswer()
    let delivery = Delivery(
      engine.answer(question), to: exchange, format: format, isStreamed: asked.isStreamed)
    let pictures = question.turns.reduce(0) { $0 + $1.pictures.count }
    state.withLock { $0.deliveries[ObjectIdentifier(delivery)] = delivery }
    // It came while the server was closing.
    if places.isClosed { delivery.endIfWaiting() }
    delivery.begin { [self] event in
      lastEvent.withLock { $0 = .now }
      if case .planned = event { place.work() }
      watch.see(event)
    } fault: { [self] answer, hadItsTurn in
      var error = fault(answer, hadItsTurn)
      let outcome = AnswerOutcome(answer, told: error)
      // What time has cut short is another answer than that of a faster machine.
      if error == nil, isOfBatch, answer.ending == .timeLimit { error = tooSlow }
      // Before the client knows: its next question is to find the place free, and the figures to be right.
      metrics.note(
        answer, watch, outcome, hadItsTurn: hadItsTurn, pictures: pictures)
      place.leave()
      return error
    } end: { [self] answer in
      state.withLock { $0.deliveries[ObjectIdentifier(delivery)] = nil }
      record(answer, exchange, watch, pictures: pictures)
    }
  }

  private func count(
    _ question: Question, _ format: any AnswerFormat, _ exchange: Exchange, _ engine: Engine, _ place: Place
  ) {
    engine.countPromptTokens(of: question) { [self] result in
      place.leave()
      switch result {
      case .success(let tokens):
        exchange.respond(
          HTTPResponse(json: ["object": "response.input_tokens", "input_tokens": .integer(tokens)]))
      case .failure(let error): exchange.respond(format.response(told(error)))
      }
    }
  }

  private var late: RequestError {
    .busy(
      "the time of \(NumberText.fixed(limits.deadline, 0)) s was over before the question's turn came; try again later",
      retryAfter: places.retryAfter, status: 503, code: RequestError.lateCode)
  }

  private var tooSlow: RequestError {
    .busy(
      "the answer was not complete within \(NumberText.fixed(limits.deadline, 0)) s; give the server a longer --deadline for batches",
      retryAfter: places.retryAfter, status: 503, code: RequestError.lateCode)
  }

  /// What to tell instead of an answer.
  private func fault(_ answer: Answer, _ hadItsTurn: Bool) -> RequestError? {
    if let error = answer.error { return told(error) }
    switch answer.ending {
    case .timeLimit where !hadItsTurn: return late
    case .cancelled: return .busy("the server ends", retryAfter: 10, status: 503, code: "ending")
    default: return nil
    }
  }

  private func record(_ answer: Answer, _ exchange: Exchange, _ watch: AnswerWatch, pictures: Int) {
    if answer.ending != .cancelled, answer.ending != .failed { places.learn(answer) }
    state.withLock { $0.speed?.learn(from: answer) }
    log.add(
      RequestLine.text(
        answer, exchange.head, status: exchange.answeredStatus ?? RequestEnd.statusOfNone,
        seconds: watch.seconds, pictures: pictures))
  }
}

extension Route {
  var allowed: String { (methods + ["OPTIONS"]).joined(separator: ", ") }
}
