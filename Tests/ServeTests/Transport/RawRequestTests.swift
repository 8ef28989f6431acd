import Foundation
import TestSupport
import Testing
import VL2Serve

/// Requests that no well-meaning client sends, byte by byte. They run against every version of libmicrohttpd that the tests
/// run with; `Tests/ClientTests/test_raw_http.py` has more, which take longer.
@Suite struct RawRequestTests {
  private let host = "Host: 127.0.0.1\r\n"

  /// The bytes, and the statuses that may come back, each a whole exchange; nil for one refusal, or none and the end of the
  /// connection.
  private var cases: [(String, String, [[Int]]?)] {
    func post(_ head: String, _ body: String = "") -> String {
      "POST /v1/chat/completions HTTP/1.1\r\n\(host)\(head)\r\n\(body)"
    }
    let get = "GET /health HTTP/1.1\r\n" + host
    return [
      (
        "length and chunked, a second request behind",
        post(
          "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
          "0\r\n\r\nGET /health HTTP/1.1\r\n\(host)\r\n"), nil
      ),
      (
        "a blank before the colon", post("Transfer-Encoding : chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"),
        nil
      ),
      ("two lengths", post("Content-Length: 4\r\nContent-Length: 6\r\n", "abcdef"), nil),
      ("a list of lengths", post("Content-Length: 4, 4\r\n", "abcd"), nil),
      ("a length with a sign", post("Content-Length: +4\r\n", "abcd"), nil),
      ("negative length", post("Content-Length: -4\r\n"), nil),
      ("endless length", post("Content-Length: 99999999999999999999999\r\n"), nil),
      ("transfer encoding gzip", post("Transfer-Encoding: gzip\r\n"), nil),
      ("chunked twice", post("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"), nil),
      ("a chunk without a size", post("Transfer-Encoding: chunked\r\n", "\r\n\r\n"), nil),
      ("a chunk whose size is no number", post("Transfer-Encoding: chunked\r\n", "x\r\n\r\n"), nil),
      ("two hosts", get + host + "\r\n", nil), ("no host", "GET /health HTTP/1.1\r\n\r\n", nil),
      ("a host that is not ours", "GET /health HTTP/1.1\r\nHost: attacker.example\r\n\r\n", nil),
      (
        "a byte of zero in the host", "GET /health HTTP/1.1\r\nHost: 127.0.0.1\0.attacker.example\r\n\r\n",
        nil
      ),
      ("a user in the host", "GET /health HTTP/1.1\r\nHost: a@127.0.0.1\r\n\r\n", nil),
      ("40 kB of header", get + "X: " + String(repeating: "a", count: 40_000) + "\r\n\r\n", nil),
      ("a path of 60 kB", "GET /" + String(repeating: "a", count: 60_000) + " HTTP/1.1\r\n\(host)\r\n", nil),
      ("absolute address", "GET http://elsewhere/health HTTP/1.1\r\n\(host)\r\n", nil),
      ("options for everything", "OPTIONS * HTTP/1.1\r\n\(host)\r\n", nil),
      ("path that climbs", "GET /../../etc/passwd HTTP/1.1\r\n\(host)\r\n", nil),
      ("escaped path", "GET /%2e%2e/health HTTP/1.1\r\n\(host)\r\n", nil),
      ("method in lower case", "get /health HTTP/1.1\r\n\(host)\r\n", nil),
      ("HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", nil),
      ("three at once", String(repeating: get + "\r\n", count: 3), [[200, 200, 200]]),
      ("HTTP/1.0 without host", "GET /health HTTP/1.0\r\n\r\n", nil),
      ("HTTP/1.0", "GET /health HTTP/1.0\r\n\(host)\r\n", [[200]]),
      ("line feeds alone", (get + "\r\n").replacingOccurrences(of: "\r", with: ""), [[200], [400]]),
      (
        "expectation with a body too large",
        post("Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 999999999\r\n"), nil
      ),
    ]
  }

  @Test func everyCase() async throws {
    let server = try await TestServer()
    for (name, bytes, allowed) in cases {
      let port = server.listener.port
      let (statuses, alive) = try await offTasks {
        let connection = try HTTPConnection(port: port, patience: 2)
        connection.send(bytes)
        // Nothing more comes after what was asked for; half a request is left to its deadline.
        var statuses: [Int] = []
        while let reply = try? connection.reply() { statuses.append(reply.status) }
        let honest = try HTTPConnection(port: port)
        honest.request("GET", "/health")
        return (statuses, try honest.reply()?.status)
      }
      let isRight = allowed?.contains(statuses) ?? (statuses.count <= 1 && statuses.allSatisfy { $0 >= 400 })
      #expect(isRight, "\(name): \(statuses)")
      #expect(alive == 200, "after \(name)")
    }
  }
}
