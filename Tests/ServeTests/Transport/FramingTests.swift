import Testing
import VL2Serve

/// Requests whose end or meaning is ambiguous.
@Suite struct FramingTests {
  private func head(_ headers: [(String, String)], path: String = "/", version: String = "HTTP/1.1")
    -> RequestHead
  {
    RequestHead(method: "POST", path: path, version: version, headers: headers.map { (name: $0, value: $1) })
  }

  @Test func ambiguous() {
    let cases: [(RequestHead, Int)] = [
      (head([("content-length", "4"), ("content-length", "4")]), 400),
      (head([("content-length", "4"), ("transfer-encoding", "chunked")]), 400),
      (head([("content-length", "+4")]), 400), (head([("content-length", "4, 4")]), 400),
      (head([("content-length", "0x4")]), 400), (head([("content-length", "")]), 400),
      (head([("transfer-encoding", "gzip")]), 501), (head([("transfer-encoding", "chunked, chunked")]), 501),
      (head([("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]), 400),
      (head([("transfer-encoding", "chunked")], version: "HTTP/1.0"), 400),
      (head([("transfer-encoding ", "chunked"), ("content-length", "4")]), 400), (head([("a\tb", "")]), 400),
      (head([("", "a")]), 400), (head([("h\u{e9}", "a")]), 400), (head([], path: "http://elsewhere/"), 400),
      (head([], path: "*"), 400), (head([], path: ""), 400),
    ]
    for (head, status) in cases {
      #expect(Framing.fault(head)?.status == status, "\(head.headers) \(head.path)")
    }
  }

  @Test func clear() {
    for headers in [
      [], [("content-length", "4")], [("content-length", "0")], [("transfer-encoding", "Chunked")],
    ] {
      #expect(Framing.fault(head(headers)) == nil, "\(headers)")
    }
    #expect(Framing.hasBody(head([("content-length", "4")])))
    #expect(Framing.hasBody(head([("transfer-encoding", "chunked")])))
    #expect(!Framing.hasBody(head([("content-length", "0")])))
  }

  @Test func firstLook() {
    func refusal(_ text: String) -> String? { FirstLook.refusal(Array(text.utf8)) }
    #expect(refusal("GET / HTTP/1.1\r\nHost: a\r\n\r\n") == nil)
    #expect(refusal("GET / HTTP/1.0\r\n\r\n") == nil)
    #expect(refusal("POST / HTTP/1.1\r\nHOST: a\r\ncontent-length: 12\r\n\r\nContent-Length: no") == nil)
    #expect(refusal("GET / HTTP/1.1\r\nHo") == nil)
    #expect(refusal("") == nil)
    #expect(refusal("GET / HTTP/1.1\r\n\r\n") != nil)
    #expect(refusal("GET / HTTP/1.1\r\nHost: localhost\u{0}.attacker.example\r\n\r\n") != nil)
    #expect(refusal("GET / HTTP/1.1\r\nHost: a\r\n\r\n\u{0}") == nil)
    #expect(refusal("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n") != nil)
    for length in ["-4", "x", "", "99999999999999999999"] {
      #expect(refusal("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \(length)\r\n\r\n") != nil, "\(length)")
    }
  }
}
