import Foundation
import TestSupport
import Testing
import VL2Base
import VL2Serve

/// Bytes over sockets.
@Suite struct ListenerTests {
  /// Answers with what it was sent, or as the path says.
  private final class Echo: HTTPService {
    let departures = Monitor(0)
    let reminders = Monitor(0)

    func refusal(of head: RequestHead) -> HTTPResponse? {
      head.path == "/refused" ? HTTPResponse(status: 403, contentType: "text/plain", text: "no") : nil
    }

    func refusal(status: Int, problem: String) -> HTTPResponse {
      HTTPResponse(status: status, contentType: "text/plain", text: problem)
    }

    func answer(_ request: HTTPRequest, _ exchange: Exchange) {
      exchange.onDeparture { [departures] in departures.change { $0 += 1 } }
      switch request.head.path {
      case "/never": break
      case "/later":
        Thread {
          Thread.sleep(forTimeInterval: 0.05)
          exchange.respond(HTTPResponse(status: 200, contentType: "text/plain", text: "later"))
        }.start()
      case "/stream":
        let stream = exchange.stream(HTTPResponse(status: 200, contentType: "text/plain", text: "begin "))
        Thread {
          for number in 0..<20 {
            stream.send("\(number) ")
            if number % 5 == 0 { Thread.sleep(forTimeInterval: 0.01) }
          }
          stream.end()
          exchange.isComplete()
        }.start()
      case "/late":
        let stream = exchange.stream(HTTPResponse(status: 200, contentType: "text/plain", text: "late"))
        stream.end()
        Thread {
          Thread.sleep(forTimeInterval: 0.3)
          exchange.isComplete()
        }.start()
      case "/reminded":
        let stream = exchange.stream(HTTPResponse(status: 200, contentType: "text/plain", text: ""))
        exchange.remind(every: 0.05) { [reminders] in
          let number = reminders.change { number in
            defer { number += 1 }
            return number
          }
          stream.send("\(number) ")
          if number == 2 {
            stream.send("end")
            stream.end()
            exchange.isComplete()
          }
        }
      case "/endless":
        exchange.stream(HTTPResponse(status: 200, contentType: "text/plain", text: "begin ")).send("x")
      default:
        exchange.respond(
          HTTPResponse(
            status: 200, contentType: "text/plain", text: "\(request.head.path) \(request.body.count)"))
      }
    }
  }

  private let echo = Echo()

  private func listener(_ limits: TransportLimits = .patient) throws -> Listener {
    try Listener(address: .loopback, port: 0, limits: limits, service: echo)
  }

  /// Several requests on one connection, with bodies of known length, in chunks, and answers of all kinds.
  @Test func keepAlive() async throws {
    let listener = try listener()
    defer { listener.stop() }
    try await offTasks {
      let connection = try HTTPConnection(port: listener.port)
      for round in 0..<3 {
        connection.request("POST", "/a%20b?c=d", body: String(repeating: "x", count: round * 50_000))
        #expect(try connection.reply()?.text == "/a%20b \(round * 50_000)")
        connection.send(
          "POST /chunks HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
        )
        #expect(try connection.reply()?.text == "/chunks 5")
        connection.request("GET", "/later")
        #expect(try connection.reply()?.text == "later")
        connection.request("GET", "/stream")
        #expect(try connection.reply()?.text == "begin " + (0..<20).map { "\($0) " }.joined())
      }
      connection.send("GET /stream HTTP/1.0\r\nHost: a\r\n\r\n")
      let old = try connection.reply()
      #expect(old?.value("transfer-encoding") == nil)
      #expect(old?.text == "begin " + (0..<20).map { "\($0) " }.joined())
    }
  }

  /// A client that goes away while it waits, and while it is written to, is noticed; each once.
  @Test(arguments: ["/never", "/endless"], [0, 1, 2]) func departures(path: String, kind: Int) async throws {
    let listener = try listener()
    defer { listener.stop() }
    try await offTasks {
      var connection: HTTPConnection? = try HTTPConnection(port: listener.port)
      connection?.request("GET", path)
      if path == "/endless" { try connection?.wait(for: 20) } else { Thread.sleep(forTimeInterval: 0.05) }
      #expect(self.echo.departures.withLock { $0 } == 0)
      switch kind {
      case 0: connection = nil
      case 1:
        connection?.reset()
        connection = nil
      default: connection?.halfClose()
      }
      #expect(self.echo.departures.wait(for: { $0 > 0 ? $0 : nil }) == 1)
      connection = nil
    }
    // The connection is over, and another one is served.
    #expect(listener.answering == 0)
  }

  /// What is said late of one request does not count for the next one on the connection.
  @Test func lateWords() async throws {
    let listener = try listener()
    defer { listener.stop() }
    try await offTasks {
      var connection: HTTPConnection? = try HTTPConnection(port: listener.port)
      connection?.request("GET", "/late")
      #expect(try connection?.reply()?.text == "late")
      connection?.request("GET", "/never")
      Thread.sleep(forTimeInterval: 0.6)
      #expect(listener.answering == 1)
      connection = nil
      let end = ContinuousClock.now + .seconds(200)
      while self.echo.departures.withLock({ $0 }) == 0, ContinuousClock.now < end {
        Thread.sleep(forTimeInterval: 0.01)
      }
      #expect(self.echo.departures.withLock { $0 } == 1)
    }
  }

  @Test func bodies() async throws {
    var limits = TransportLimits.patient
    limits.bodyBytes = 100_000
    let listener = try listener(limits)
    defer { listener.stop() }
    try await offTasks {
      let connection = try HTTPConnection(port: listener.port)
      connection.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100001\r\nExpect: 100-continue\r\n\r\n")
      #expect(try connection.reply()?.status == 413)
      #expect(try connection.isClosed())
      // One that is sent in chunks is answered when it is complete, or ended where it has no end.
      let chunked = try HTTPConnection(port: listener.port)
      let chunk = "4000\r\n" + String(repeating: "x", count: 0x4000) + "\r\n"
      chunked.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
      for _ in 0..<7 { chunked.send(chunk) }
      chunked.send("0\r\n\r\n")
      #expect(try chunked.reply()?.status == 413)
      let endless = try HTTPConnection(port: listener.port)
      endless.send("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
      var sent = 0
      while sent < 1000, endless.send(chunk) { sent += 1 }
      #expect(sent < 1000)
      let refused = try HTTPConnection(port: listener.port)
      refused.send("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 50\r\nExpect: 100-continue\r\n\r\n")
      #expect(try refused.reply()?.status == 403)
      #expect(try refused.isClosed())
    }
  }

  /// Who sends the body at once is answered after it, and may ask again; but not for as much as somebody likes to send.
  @Test func refusals() async throws {
    var limits = TransportLimits.patient
    limits.refusedBodyBytes = 200_000
    let listener = try listener(limits)
    defer { listener.stop() }
    try await offTasks {
      let connection = try HTTPConnection(port: listener.port)
      let body = String(repeating: "x", count: 200_000)
      connection.send("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n" + body)
      #expect(try connection.reply()?.status == 403)
      connection.request("GET", "/refused")
      #expect(try connection.reply()?.status == 403)
      connection.request("GET", "/later")
      #expect(try connection.reply()?.text == "later")
      connection.send("POST /refused HTTP/1.1\r\nHost: a\r\nContent-Length: 200001\r\n\r\n")
      #expect(try connection.reply()?.status == 403)
      #expect(try connection.isClosed())
      let endless = try HTTPConnection(port: listener.port)
      endless.send("POST /refused HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
      let chunk = "4000\r\n" + body.prefix(0x4000) + "\r\n"
      var sent = 0
      while sent < 1000, endless.send(chunk) { sent += 1 }
      #expect(sent < 1000)
    }
  }

  /// Where nothing comes for long, signs of work go out, one after the other, until the answer is complete.
  @Test func reminders() async throws {
    let listener = try listener()
    defer { listener.stop() }
    try await offTasks {
      let connection = try HTTPConnection(port: listener.port)
      connection.request("GET", "/reminded")
      #expect(try connection.reply()?.text == "0 1 2 end")
      Thread.sleep(forTimeInterval: 0.2)
      #expect(self.echo.reminders.withLock { $0 } == 3)
    }
  }

  /// Heads and bodies that come a byte at a time are ended by their deadlines, though the connection is never idle.
  @Test func deadlines() async throws {
    var limits = TransportLimits.patient
    limits.headSeconds = 0.5
    limits.bodySeconds = 0.5
    let listener = try listener(limits)
    defer { listener.stop() }
    for start in [
      "GET / HTTP/1.1\r\nHost: a\r\nX: ", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n",
    ] {
      let seconds = try await offTasks {
        let connection = try HTTPConnection(port: listener.port)
        let begin = ContinuousClock.now
        connection.send(start)
        while connection.send("x"), ContinuousClock.now - begin < .seconds(20) {
          Thread.sleep(forTimeInterval: 0.02)
        }
        return (ContinuousClock.now - begin) / .seconds(1)
      }
      #expect(seconds > 0.3 && seconds < 10, "\(start)")
    }
  }

  /// Connections that do nothing, and those that send a byte now and then, make room for those that ask.
  @Test(arguments: [
    "GET / HTTP/1.1\r\nHo", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc",
  ])
  func manyConnections(start: String) async throws {
    var limits = TransportLimits.patient
    limits.connections = 8
    let listener = try listener(limits)
    defer { listener.stop() }
    try await offTasks {
      let asking = try HTTPConnection(port: listener.port)
      asking.request("GET", "/never")
      Thread.sleep(forTimeInterval: 0.1)
      var idle: [HTTPConnection] = []
      for round in 0..<4 {
        for _ in 0..<10 {
          let connection = try HTTPConnection(port: listener.port)
          connection.send(start)
          idle.append(connection)
        }
        let honest = try HTTPConnection(port: listener.port, patience: 5)
        honest.request("POST", "/honest", body: "ab")
        #expect(try honest.reply()?.text == "/honest 2", "\(round)")
      }
      #expect(listener.answering == 1)
      withExtendedLifetime((asking, idle)) {}
    }
  }

  @Test func takenPort() throws {
    let listener = try listener()
    defer { listener.stop() }
    #expect(throws: ListenerError(address: .loopback, port: listener.port, number: EADDRINUSE)) {
      try Listener(address: .loopback, port: listener.port, service: echo)
    }
  }

  /// Ends while clients wait, are written to, and send.
  @Test func stopping() async throws {
    let listener = try listener()
    try await offTasks {
      let connections = try ["/never", "/endless", "/later", "/stream"].map { path in
        let connection = try HTTPConnection(port: listener.port)
        connection.request("GET", path)
        return connection
      }
      let sending = try HTTPConnection(port: listener.port)
      sending.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nabc")
      Thread.sleep(forTimeInterval: 0.03)
      listener.stopAccepting()
      listener.stop()
      withExtendedLifetime((connections, sending)) {}
      for connection in connections { _ = try? connection.reply() }
      #expect(try sending.isClosed())
    }
  }
}
