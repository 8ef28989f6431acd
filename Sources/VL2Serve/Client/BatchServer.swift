import VL2Base
import VL2Run

/// A server that answers the lines of a batch as this machine would: `vl2 serve`, or nginx before several of them.
///
/// A request that is answered wrongly, late or not at all is sent again, which does no harm: it changes nothing, and its answer
/// is always the same. May be used from many threads.
package final class BatchServer: Sendable {
  /// What the server says of its model.
  package struct Description: Sendable {
    /// What answers depend on besides the requests; equal to that of a batch on this machine with the same model and options.
    package var settings: String
    /// For reading requests as the server does.
    var model: ServedModel
  }

  private let address: ServerAddress
  private let key: String?
  private let patience: Patience
  private let places: CallPlaces
  private let isStopped: @Sendable () -> Bool

  /// The most bytes of a response's body.
  private static let responseBytes = 64 << 20
  /// Values of a response.
  private static let mostValues = 4_000_000
  /// Seconds for what the server knows without computing.
  private static let shortSeconds = 30.0

  /// - Parameters:
  ///   - key: what the server wants to be told; nil for none.
  ///   - concurrency: the most requests at a time.
  ///   - isStopped: whether to stop; asked often, on any thread. `stop` has to be called then, too.
  package init(
    _ address: ServerAddress, key: String?, patience: Patience, concurrency: Int,
    isStopped: @escaping @Sendable () -> Bool
  ) {
    self.address = address
    self.key = key
    self.patience = patience
    places = CallPlaces(concurrency)
    self.isStopped = isStopped
  }

  /// Wakes those that wait for their turn, after `isStopped` says so.
  package func stop() { places.stop() }

  /// Asks what the server has. Waits for one that is not there yet.
  ///
  /// - Throws: `ServerFault`, `Stopped`.
  package func describe() throws -> Description {
    var retry = 0
    while true {
      do {
        return try describeOnce()
      } catch let failure as Again {
        retry += 1
        guard retry <= patience.retries else { throw unavailable(failure.problem) }
        try pause(before: retry, failure.retryAfter)
      }
    }
  }

  /// Whoever asks has to stop.
  package struct Stopped: Error {}

  /// What another try may help against.
  private struct Again: Error {
    var problem: String
    var retryAfter: Double?
    /// Whether the server has no place.
    var isFull = false
    /// What the server itself said.
    var reply: BatchRequest.Reply?
  }

  private func describeOnce() throws -> Description {
    let response = try response(
      HTTPCall(address, "GET", "/v1/models"), within: Self.shortSeconds)
    let value = try answer(response)
    guard response.status == 200 else { throw refusal(response.status, value) }
    guard case .array(let models)? = value?.member("data"),
      case .string(let name)? = models.first?.member("id"),
      case .string(let settings)? = models.first?.member("batch_settings"),
      case .integer(let context)? = models.first?.member("max_model_len"),
      BatchMark.isDigest(String(decoding: settings, as: UTF8.self))
    else {
      throw ServerFault(
        .unavailable, "\(address.text) is no vl2 serve that answers batches",
        "give the address of one of this version")
    }
    var aliases: [String] = []
    if case .array(let list)? = models.first?.member("aliases") {
      for case .string(let alias) in list { aliases.append(String(decoding: alias, as: UTF8.self)) }
    }
    return Description(
      settings: String(decoding: settings, as: UTF8.self),
      model: ServedModel(
        elsewhere: String(decoding: name, as: UTF8.self), aliases: aliases, contextLength: context))
  }

  /// Has a line answered.
  ///
  /// - Parameters:
  ///   - number: of the line; of several that wait, the one with the smallest goes first.
  ///   - name: 64 hexadecimal digits that no other line has.
  ///   - earlier: the number of the line that has the same `custom_id`.
  ///   - folder: below which the line may name pictures.
  /// - Throws: `ServerFault` where the server is gone, refuses everything or has another model; `Stopped`.
  package func reply(
    to line: BatchRequest, number: Int, name: String, earlier: Int?, _ description: Description,
    folder: ConfinedFolder?
  ) throws -> BatchRequest.Reply {
    let limits = {
      var limits = AskingLimits()
      limits.pictures.folder = folder
      return limits
    }()
    let request: JSONValue
    do {
      request = try line.body(earlier: earlier)
    } catch {
      return try BatchRequest.Reply(error)
    }
    /// What is wrong with the request as this machine reads it, with the pictures that it names.
    func ownRefusal() throws -> BatchRequest.Reply? {
      do {
        _ = try line.chat(request, name: name, model: description.model, limits: limits)
        return nil
      } catch {
        return try BatchRequest.Reply(error)
      }
    }
    let sent: JSONValue
    let namesPictures: Bool
    do {
      (sent, namesPictures) = try NamedPictures.sent(request, below: folder, limits.pictures)
    } catch let error as NamedPictures.Unreadable {
      // What stands before the picture may be wrong, too, and is then what a batch on this machine tells.
      return try ownRefusal() ?? BatchRequest.Reply(error.error)
    }
    var call = HTTPCall(address, "POST", "/v1/chat/completions")
    call.headers = [(BatchMark.header, BatchMark(settings: description.settings, name: name).value)]
    call.body = sent.json
    guard call.body.count <= TransportLimits().bodyBytes else {
      return try BatchRequest.Reply(
        RequestError(
          status: 413,
          "the request is over \(TransportLimits().bodyBytes >> 20) MiB with its pictures; send smaller ones",
          code: "request_too_large"))
    }
    let reply = try reply(call, number: number, name: name, description)
    if namesPictures, reply.status == 400, let own = try ownRefusal() { return own }
    return reply
  }

  private func reply(
    _ call: HTTPCall, number: Int, name: String, _ description: Description
  ) throws -> BatchRequest.Reply {
    var (retry, refusals) = (0, 0)
    let begin = ContinuousClock.now
    while true {
      do {
        return try replyOnce(call, number: number, name: name)
      } catch let failure as Again where failure.isFull {
        refusals += 1
        guard ContinuousClock.now - begin < .seconds(patience.busySeconds) else {
          throw ServerFault(
            .busy,
            "\(address.text) had no place for a request for \(Int(patience.busySeconds)) s: \(failure.problem)",
            "try again later, or ask fewer at a time")
        }
        try pause(before: refusals, failure.retryAfter)
      } catch let failure as Again {
        retry += 1
        if retry <= patience.retries {
          try pause(before: retry, failure.retryAfter)
          continue
        }
        // Either the request is too much for the server, or the server is gone: then no line is to blame.
        do {
          let now = try describeOnce()
          guard now.settings == description.settings else { throw otherSettings }
        } catch is Again {
          throw unavailable(failure.problem)
        }
        return failure.reply
          ?? BatchRequest.Reply(
            unanswered: "no_answer", "no answer after \(retry) tries; the last one: \(failure.problem)")
      }
    }
  }

  private func replyOnce(_ call: HTTPCall, number: Int, name: String) throws -> BatchRequest.Reply {
    guard places.enter(number) else { throw Stopped() }
    var isFull = false
    defer { places.leave(wasFull: isFull) }
    do {
      return try read(try response(call, within: patience.seconds), name: name)
    } catch let failure as Again {
      isFull = failure.isFull
      throw failure
    }
  }

  /// What a response to a line means.
  private func read(_ response: ResponseReader.Response, name: String) throws -> BatchRequest.Reply {
    let value = try answer(response)
    guard let value, case .object = value else { throw Again(problem: "a response that is no JSON object") }
    guard response.status != 200 else {
      guard value.member("id") == .text(ChatRequest.answerID(name)) else {
        throw Again(problem: "an answer to another request")
      }
      return BatchRequest.Reply(status: 200, body: value)
    }
    if response.status == 409, value.member("error")?.member("code") == .text(BatchMark.otherSettings) {
      throw otherSettings
    }
    switch response.status {
    // 503: one that another try does not help, else `answer` would have thrown.
    case 400, 404, 413, 501, 503:
      guard case .object? = value.member("error") else { break }
      return BatchRequest.Reply(status: response.status, body: value)
    default: break
    }
    throw refusal(response.status, value)
  }

  /// Sends a request.
  ///
  /// - Throws: `Again` where there is no response; `Stopped`.
  private func response(_ call: HTTPCall, within seconds: Double) throws -> ResponseReader.Response {
    var call = call
    if let key { call.headers.append(("Authorization", "Bearer \(key)")) }
    do throws(HTTPCall.Failure) {
      return try call.response(within: seconds, mostBytes: Self.responseBytes, unless: isStopped)
    } catch {
      switch error {
      case .stopped: throw Stopped()
      case .unreachable(let reason): throw Again(problem: "cannot be reached: \(reason)")
      case .broken(let what): throw Again(problem: what)
      case .late(let seconds):
        throw Again(problem: "no response within \(NumberText.fixed(seconds, seconds < 10 ? 1 : 0)) s")
      }
    }
  }

  /// The JSON of a response, where it has any.
  ///
  /// - Throws: `Again` where the status says that another try may help.
  private func answer(_ response: ResponseReader.Response) throws -> JSONValue? {
    let value = try? JSONReader.read(response.body, mostValues: Self.mostValues, writer: .program)
    let retryAfter = response.value("retry-after").flatMap { Int($0) }.map { Double(max(0, $0)) }
    let said = Self.message(value).map { ": \($0)" } ?? ""
    var again = Again(problem: "status \(response.status)\(said)", retryAfter: retryAfter)
    switch response.status {
    case 429:
      again.isFull = true
      throw again
    case 408, 425, 500, 502, 503, 504:
      // Whoever makes a page of it is no vl2 serve.
      if let value, case .object? = value.member("error") {
        again.reply = BatchRequest.Reply(status: response.status, body: value)
        // A server that knows that trying again does not help says so: too little memory for this question.
        if response.status == 503, retryAfter == nil, response.value("x-should-retry") == "false" {
          return value
        }
      }
      throw again
    default: return value
    }
  }

  /// What a status means that says something of the server and not of a line.
  private func refusal(_ status: Int, _ value: JSONValue?) -> any Error {
    let said = Self.message(value).map { ": \($0)" } ?? ""
    switch status {
    case 401:
      return ServerFault(
        .unavailable, "\(address.text) wants a key\(said)", "give --api-key-file FILE with one")
    case 403:
      return ServerFault(
        .unavailable, "\(address.text) refuses\(said)", "allow it there (--allow-host, --allow)")
    case 404, 405, 301, 302, 303, 307, 308:
      return ServerFault(
        .unavailable, "\(address.text): status \(status)\(said)",
        "check the address; no other one is followed")
    default: return Again(problem: "status \(status)\(said)")
    }
  }

  private static func message(_ value: JSONValue?) -> String? {
    guard case .string(let bytes)? = value?.member("error")?.member("message") else { return nil }
    return UntrustedText.line(String(decoding: bytes.prefix(300), as: UTF8.self))
  }

  private var otherSettings: ServerFault {
    ServerFault(
      .unavailable, "\(address.text) has another model, or other options, than when the batch was begun",
      "give all its servers the same, then go on with --resume, or begin another output")
  }

  private func unavailable(_ problem: String) -> ServerFault {
    ServerFault(
      .unavailable, "\(address.text): \(problem)", "check that vl2 serve runs there, then go on with --resume"
    )
  }

  private func pause(before retry: Int, _ retryAfter: Double?) throws {
    let seconds = patience.pause(before: retry, retryAfter: retryAfter, share: .random(in: 0...1))
    let end = ContinuousClock.now + .seconds(seconds)
    while ContinuousClock.now < end {
      if isStopped() { throw Stopped() }
      SystemThread.sleep(min(0.1, max(0, (end - .now) / .seconds(1))))
    }
    if isStopped() { throw Stopped() }
  }
}
