import Foundation
import Synchronization
import TestModels
import TestSupport
import VL2Base
import VL2Run
import VL2Serve

/// A server with a model, in this process.
final class TestServer: Sendable {
  let server: Server
  let listener: Listener
  let engine: Engine
  let log = Log()

  final class Log: Sendable {
    private let text = Monitor("")
    func add(_ line: String) { text.withLock { $0 += line + "\n" } }
    var lines: String { text.withLock { $0 } }
  }

  /// Time enough for an emulator. Tests of the deadline have their own.
  static let patient: AskingLimits = {
    var limits = AskingLimits()
    limits.deadline = 3000
    return limits
  }()

  /// - Parameter slow: whether the model is read from a card that is slow, so that nothing is over before it is caught.
  init(
    path: String? = nil, pocket: Bool = false, slow: Bool = false, access: AccessRules = AccessRules(),
    limits: AskingLimits = patient, transport: TransportLimits = .patient,
    aliases: [String] = ["test"], live: LiveSource? = nil, settings: String? = nil
  ) async throws {
    var options = RuntimeOptions(threads: 2)
    if slow {
      options.slots = 3
      options.bytesPerSecond = 1 << 19
    }
    engine = try await Engine(
      path: try path ?? (pocket ? PackedModels.pocket() : PackedModels.path("nano-mha", .q4)),
      options: options,
      keeping: 1 << 26, mostWaiting: 16)
    server = try Server(access: access, limits: limits, live: live) { [log] in log.add($0) }
    listener = try Listener(address: .loopback, port: 0, limits: transport, service: server)
    var model = try ServedModel(engine, aliases: aliases)
    model.settings = settings
    server.begin(engine, as: model, speed: nil)
  }

  deinit { listener.stop() }

  func connect() async throws -> HTTPConnection {
    let port = listener.port
    return try await offTasks { try HTTPConnection(port: port) }
  }

  /// Sends a request on a connection of its own.
  func ask(
    _ method: String, _ path: String, headers: [String] = [], host: String? = "127.0.0.1", body: String? = nil
  ) async throws -> HTTPReply {
    let port = listener.port
    return try await offTasks {
      let connection = try HTTPConnection(port: port)
      connection.request(method, path, headers: headers, host: host, body: body)
      guard let reply = try connection.reply(isHead: method == "HEAD") else {
        throw HTTPConnection.Failure(description: "\(method) \(path): closed without an answer")
      }
      return reply
    }
  }

  func post(_ path: String, _ body: [String: Any]) async throws -> HTTPReply {
    try await ask("POST", path, body: try jsonText(body))
  }

  /// Whether the log has, or comes to have, a text: its lines are written a moment later.
  func logs(_ text: String) async throws -> Bool {
    let end = ContinuousClock.now + .seconds(200)
    while !log.lines.contains(text) {
      if ContinuousClock.now > end { return false }
      try await Task.sleep(for: .milliseconds(5))
    }
    return true
  }

  /// Waits until so many questions wait; false where that takes too long.
  func comesToWaiting(_ count: Int, seconds: Double = 200) async throws -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while !(try await ask("GET", "/metrics").text.contains("vl2_questions{state=\"waiting\"} \(count)\n")) {
      if ContinuousClock.now > end { return false }
      try await Task.sleep(for: .milliseconds(5))
    }
    return true
  }

  /// Waits until nothing is answered any more; false where that takes too long.
  func becomesIdle(seconds: Double = 200) async throws -> Bool {
    let end = ContinuousClock.now + .seconds(seconds)
    while !server.isIdle {
      if ContinuousClock.now > end { return false }
      try await Task.sleep(for: .milliseconds(5))
    }
    return true
  }
}

extension TransportLimits {
  /// On a busy machine minutes pass between a test's connection and its request. Tests of the deadlines set their own.
  static let patient: TransportLimits = {
    var limits = TransportLimits()
    limits.headSeconds = 3000
    limits.bodySeconds = 3000
    limits.idleSeconds = 3000
    limits.writeSeconds = 3000
    return limits
  }()
}

/// A picture of the fixtures as clients send it.
func dataURL(_ picture: String, type: String = "image/png") throws -> String {
  "data:\(type);base64," + (try base64(picture))
}

func base64(_ picture: String) throws -> String {
  Data(try bytes(of: Fixtures.path("golden/images/" + picture))).base64EncodedString()
}

/// Messages of one question.
func messages(_ text: String, _ pictures: [String] = []) -> [[String: Any]] {
  let parts: [[String: Any]] = pictures.map { ["type": "image_url", "image_url": ["url": $0]] }
  return [["role": "user", "content": [["type": "text", "text": text]] + parts]]
}
