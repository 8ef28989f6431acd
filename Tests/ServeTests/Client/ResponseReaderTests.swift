import Testing
import VL2Serve

/// Responses of servers that nobody vouches for.
@Suite struct ResponseReaderTests {
  private func read(_ text: String, pieces: Int = 1, mostBytes: Int = 1000) throws -> ResponseReader.Response?
  {
    var reader = ResponseReader(mostBytes: mostBytes)
    var left = Array(text.utf8)[...]
    let size = max(1, left.count / pieces)
    while !left.isEmpty {
      if let response = try reader.take(left.prefix(size)) { return response }
      left = left.dropFirst(size)
    }
    return nil
  }

  @Test func whole() throws {
    for (text, status, body) in [
      ("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", 200, "abc"),
      ("HTTP/1.0 404\r\ncontent-length:3\r\nContent-Length: 3\r\n\r\nabcdef", 404, "abc"),
      ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 200, ""), ("HTTP/1.1 204 None\r\n\r\n", 204, ""),
      ("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", 200, "a"),
      (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n3\r\nabc\r\n1;x=y\r\nd\r\n0\r\n\r\n", 200,
        "abcd"
      ),
      (
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n", 200,
        "0123456789"
      ),
    ] {
      for pieces in [1, 2, 7, text.utf8.count] {
        let found = try read(text, pieces: pieces)
        #expect(
          found?.status == status && found.map { String(decoding: $0.body, as: UTF8.self) } == body, "\(text)"
        )
      }
    }
    let found = try read("HTTP/1.1 429 Full\r\nRetry-After:  7 \r\nContent-Length: 0\r\n\r\n")
    #expect(found?.value("retry-after") == "7" && found?.value("x") == nil)
  }

  /// What is cut off anywhere is not whole.
  @Test func cutOff() throws {
    for text in [
      "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
      for count in 0..<text.utf8.count {
        #expect(try read(String(decoding: text.utf8.prefix(count), as: UTF8.self)) == nil, "\(count)")
      }
    }
  }

  @Test func refused() {
    let ok = "HTTP/1.1 200 OK\r\n"
    for (text, part) in [
      ("SSH-2.0-OpenSSH\r\n\r\n", "does not begin as one of HTTP"), ("\r\n\r\n", "does not begin"),
      ("HTTP/2 200\r\n\r\n", "does not begin"), ("HTTP/1.1 20x OK\r\n\r\n", "does not begin"),
      ("HTTP/1.1 999 OK\r\n\r\n", "does not begin"),
      (ok + "\r\n", "does not say how long it is"),
      (ok + "Content-Length: -1\r\n\r\n", "a length that is no number"),
      (ok + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", "a length that is no number"),
      (ok + "Content-Length: 99999999999999999999\r\n\r\n", "a length that is no number"),
      (ok + "Content-Length: 1001\r\n\r\n", "has more than 1000 bytes"),
      (ok + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", "in two ways"),
      (ok + "Transfer-Encoding: gzip\r\n\r\n", "in two ways"),
      (ok + "Transfer-Encoding: chunked\r\n\r\nx\r\n", "a chunk whose size is no number"),
      (ok + "Transfer-Encoding: chunked\r\n\r\n-3\r\nabc", "a chunk whose size is no number"),
      (ok + "Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFF\r\n", "a chunk whose size is no number"),
      (ok + "Transfer-Encoding: chunked\r\n\r\n3e9\r\n", "has more than 1000 bytes"),
      (ok + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n", "a chunk that is longer than it says"),
      (ok + "no header\r\n\r\n", "a header that is none"),
      (ok + " folded: x\r\n\r\n", "a header that is none"),
      (ok + "X: a\nContent-Length: 1\r\n\r\n", "none of HTTP"), (ok + "X: \u{0}\r\n\r\n", "none of HTTP"),
      (ok + String(repeating: "X: y\r\n", count: 20_000), "a head of more than 65536 bytes"),
      (ok + String(repeating: "x", count: 70_000), "a head of more than 65536 bytes"),
      (String(repeating: "HTTP/1.1 100 Continue\r\n\r\n", count: 4000), "a head of more than 65536 bytes"),
      (
        ok + "Transfer-Encoding: chunked\r\n\r\n0\r\n" + String(repeating: "X: y\r\n", count: 20_000),
        "a head of more than 65536 bytes"
      ),
    ] {
      for pieces in [1, 3] {
        do {
          let found = try read(text, pieces: pieces)
          Issue.record("\(text.prefix(60)): \(String(describing: found))")
        } catch let failure as ResponseReader.Failure {
          #expect(failure.problem.contains(part), "\(text.prefix(60)): \(failure.problem)")
        } catch {
          Issue.record(error)
        }
      }
    }
  }

  @Test func addresses() throws {
    for (text, host, port, path) in [
      ("http://127.0.0.1:11434", "127.0.0.1", 11434, ""), ("http://board.local/", "board.local", 80, ""),
      ("HTTP://[::1]:8080/v1", "::1", 8080, ""), ("http://a:1/vl2/v1/", "a", 1, "/vl2"),
      ("http://[fe80::1]", "fe80::1", 80, ""),
    ] as [(String, String, UInt16, String)] {
      let address = try ServerAddress(text)
      #expect(address.host == host && address.port == port && address.path == path, "\(text)")
    }
    for (text, part) in [
      ("https://a", "https is not spoken here"), ("127.0.0.1:11434", "is no http:// address"),
      ("http://", "names no host"), ("http://:80", "names no host"), ("http://a:0", "port"),
      ("http://a:99999", "port"),
      ("http://a:8x", "port"), ("http://a:", "port"), ("http://u:p@a/", "no user"),
      ("http://a/?x", "no user"),
      ("http://a b", "is no address"), ("http://a\r\nX: y", "is no address"), ("http://[::1", "port"),
      ("http://[127.0.0.1]", "is no address"), ("http://[::1]x", "is no address"),
      ("", "is no http:// address"),
    ] {
      do {
        Issue.record("\(text): \(try ServerAddress(text))")
      } catch {
        #expect((error as? ServerFault)?.problem.contains(part) == true, "\(text): \(error)")
      }
    }
  }
}
