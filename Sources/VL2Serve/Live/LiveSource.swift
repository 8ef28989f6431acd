import Synchronization
import VL2Base

/// What a camera's loop sees and says, for those who look on: the newest frame, how things stand, and each line as it is told.
/// The loop writes it, the server reads it, and neither waits for the other or knows it.
package final class LiveSource: Sendable {
  /// What is kept, and what clients may take.
  package struct Limits: Sendable {
    /// Lines, and their bytes, for clients that come back.
    package var lines = 200
    package var lineBytes = 512 << 10
    /// Clients at a time that are told as it happens; fewer than there are connections, so that others can ask.
    package var clients = 16
    /// Bytes that a client may leave untaken. One that leaves more is let go of.
    package var clientBytes = 1 << 20

    package init() {}
  }

  private struct Client {
    let exchange: Exchange
    let stream: ResponseStream
  }

  private struct State {
    var status: LiveStatus
    var lines: LiveLines
    var frame: LiveFrame?
    var frames = 0
    var answers = 0
    var slowClients = 0
    var clients: [ObjectIdentifier: Client] = [:]
    var isAsked = false
    var isRunning = false
    var isClosed = false
  }

  private let limits: Limits
  private let state: Monitor<State>
  private let rounds = Atomic<Int>(0)
  private let work = Atomic<Int>(0)
  /// Of this process: numbers begin anew with each.
  let name = randomName(12)

  /// Seconds between two signs of life, so that clients and those between notice that somebody is gone.
  private static let signSeconds = 10.0

  /// - Parameter questions: in the order in which they are shown.
  package init(questions: [(name: String, text: String)], limits: Limits = Limits()) {
    self.limits = limits
    state = Monitor(
      State(
        status: LiveStatus(questions: questions),
        lines: LiveLines(mostLines: limits.lines, mostBytes: limits.lineBytes)))
  }

  // MARK: the loop's side

  /// Shows a frame in place of the one before.
  ///
  /// - Parameters:
  ///   - width: of the picture that is looked at, in which boxes are.
  ///   - time: as lines say it.
  package func show(_ content: LiveFrame.Content, width: Int, height: Int, time: String) {
    state.withLock { state in
      state.frames += 1
      let frame = LiveFrame(content, number: state.frames, width: width, height: height, time: time)
      state.frame = frame
      if state.status.seeFrame() { tellStatus(&state) }
      // Whoever does not keep up learns of the newest frame later.
      tell(Self.event("frame", frame.json), &state, within: 1 << 14)
    }
  }

  /// Tells a line, as `vl2 watch` writes it.
  package func tell(_ line: JSONValue) {
    let isAnswer = line.member("event") == nil
    state.withLock { state in
      if isAnswer { state.answers += 1 }
      let bytes = state.lines.add { number in
        Self.event(isAnswer ? "answer" : "event", line, id: "\(name)-\(number)")
      }
      tell(bytes, &state)
      if state.status.take(line) { tellStatus(&state) }
      if state.status.camera == "ended" { state.isRunning = false }
    }
  }

  /// - Parameter holds: whether the answer that was told last is still the answer.
  package func judge(_ question: String, holds: Bool) {
    state.withLock { state in
      if state.status.judge(question, holds: holds) { tellStatus(&state) }
    }
  }

  /// - Parameter reason: why a frame is asked about from now on; nil where none is.
  package func asks(_ reason: String?) {
    state.withLock { state in
      guard state.status.asking != reason else { return }
      state.status.asking = reason
      tellStatus(&state)
    }
  }

  /// Whether somebody has asked since the last call.
  package func takeAsking() -> Bool {
    state.withLock { state in
      defer { state.isAsked = false }
      return state.isAsked
    }
  }

  /// The loop goes round.
  package func goesRound() { rounds.add(1, ordering: .relaxed) }

  /// Something was done for its question.
  package func works() { work.add(1, ordering: .relaxed) }

  /// A loop begins. It ends with a line that says so.
  package func begins() { state.withLock { $0.isRunning = true } }

  // MARK: the server's side

  /// What changes as long as a loop lives.
  struct Signs {
    /// Changes while it goes round.
    var rounds: Int
    /// Changes while its question is worked on; nil where it asks none.
    var work: Int?
  }

  /// nil where no loop runs.
  var signs: Signs? {
    let (isRunning, isAsking) = state.withLock { ($0.isRunning, $0.status.asking != nil) }
    guard isRunning else { return nil }
    return Signs(
      rounds: rounds.load(ordering: .relaxed), work: isAsking ? work.load(ordering: .relaxed) : nil)
  }

  /// The newest frame; nil before the first.
  var frame: LiveFrame? { state.withLock { $0.frame } }

  /// Has a frame asked about.
  ///
  /// - Returns: how the camera is.
  /// - Throws: `RequestError` where there will be no frame.
  func ask() throws -> String {
    try state.withLock { state in
      let camera = state.status.camera
      if camera == "ended" {
        throw RequestError(
          status: 503, type: "unavailable_error", "the camera's pictures have ended", code: "camera_ended")
      }
      state.isAsked = true
      return camera
    }
  }

  /// What metrics say.
  var counts: (camera: String, frames: Int, answers: Int, lines: Int, clients: Int, slow: Int) {
    state.withLock { state in
      (
        state.status.camera, state.frames, state.answers, state.lines.last, state.clients.count,
        state.slowClients
      )
    }
  }

  /// Tells a client how things stand, and then each line as it comes, until the client or the server goes.
  ///
  /// - Parameter lastID: of the last line that the client has; nil for a new one.
  /// - Throws: `RequestError` where there are as many as there may be.
  func stream(to exchange: Exchange, after lastID: String?) throws {
    let key = ObjectIdentifier(exchange)
    try state.withLock { state in
      if state.isClosed {
        throw RequestError.busy("the server is about to end", retryAfter: 10, status: 503, code: "ending")
      }
      guard state.clients.count < limits.clients else {
        throw RequestError.busy(
          "\(limits.clients) clients are told of the camera already", retryAfter: 30, status: 503,
          code: "too_many_clients")
      }
      let stream = exchange.stream(HTTPResponse(streamOf: Self.contentType))
      stream.send("retry: 2000\n\n")
      stream.send(status(state))
      if let known = lastID.flatMap(number) {
        let (missed, lines) = state.lines.after(known)
        if missed > 0 { stream.send(Self.event("missed", ["lines": .integer(missed)])) }
        stream.send(lines)
      }
      state.clients[key] = Client(exchange: exchange, stream: stream)
    }
    // Not under the lock: whoever is gone already is let go of at once.
    exchange.onDeparture { [weak self] in self?.state.withLock { $0.clients[key] = nil } }
    exchange.remind(every: Self.signSeconds) { [weak self] in self?.giveSign(key) }
  }

  static let contentType = "text/event-stream"

  /// Ends what clients are told, and takes no more.
  func close() {
    state.withLock { state in
      state.isClosed = true
      for client in state.clients.values {
        client.stream.send(Self.event("end", [:]))
        client.stream.end()
        client.exchange.isComplete()
      }
      state.clients = [:]
    }
  }

  /// The number of the line with this name, where it is one of this process.
  private func number(_ id: String) -> Int? {
    guard id.hasPrefix(name + "-"), let number = Int(id.dropFirst(name.count + 1)) else { return nil }
    return number < 0 ? nil : number
  }

  private func giveSign(_ key: ObjectIdentifier) {
    state.withLock { state in
      guard let client = state.clients[key] else { return }
      send(Array(": here\n\n".utf8), to: client, key, &state)
    }
  }

  private func status(_ state: State) -> [UInt8] {
    var json: JSONValue = ["version": .text(packageVersion), "server": .text(name)]
    json.append("frame", state.frame?.json ?? .null)
    if case .object(let members) = state.status.json {
      for member in members { json.append(String(decoding: member.key, as: UTF8.self), member.value) }
    }
    return Self.event("state", json)
  }

  private func tellStatus(_ state: inout State) { tell(status(state), &state) }

  /// - Parameter bytes: a client that has left as many untaken is not told this.
  private func tell(_ message: [UInt8], _ state: inout State, within bytes: Int = .max) {
    for (key, client) in state.clients where client.stream.waitingBytes < bytes {
      send(message, to: client, key, &state)
    }
  }

  private func send(_ message: [UInt8], to client: Client, _ key: ObjectIdentifier, _ state: inout State) {
    if client.stream.waitingBytes <= limits.clientBytes { return client.stream.send(message) }
    client.stream.abort()
    // It has some time to notice; then its connection is ended.
    client.exchange.isComplete()
    state.clients[key] = nil
    state.slowClients += 1
  }

  private static func event(_ name: String, _ data: JSONValue, id: String? = nil) -> [UInt8] {
    var message = Array("event: \(name)\n".utf8)
    if let id { message += "id: \(id)\n".utf8 }
    message += "data: ".utf8
    // It has no line feeds, which would end the message.
    message += data.json
    message += "\n\n".utf8
    return message
  }
}
