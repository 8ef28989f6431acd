import TestSupport
import Testing
import VL2Base
import VL2Serve

/// Who may ask.
@Suite struct AccessTests {
  private func head(_ headers: [(String, String)], client: String = "127.0.0.1", local: String = "127.0.0.1")
    -> RequestHead
  {
    var head = RequestHead(
      method: "POST", path: "/", version: "HTTP/1.1", headers: headers.map { (name: $0, value: $1) })
    head.client = NetworkAddress(client)
    head.local = NetworkAddress(local)
    return head
  }

  @Test func hosts() {
    let rules = AccessRules(names: ["Board.example"])
    let ours = [
      "127.0.0.1", "127.0.0.1:11434", "localhost", "LOCALHOST:1", "[::1]", "[::1]:80", "127.0.0.5",
      "kiosk.local",
      "board.example:443",
    ]
    for host in ours { #expect(rules.refusal(of: head([("host", host)]), isPublic: true) == nil, "\(host)") }
    for host in [
      "attacker.example", "127.0.0.1.attacker.example", "192.168.1.5", "local", "8.8.8.8",
      "localhost.attacker",
    ] {
      #expect(rules.refusal(of: head([("host", host)]), isPublic: true)?.status == 403, "\(host)")
    }
    let wrong = [
      "", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:123456", "user@127.0.0.1", "127.0.0.1, evil", "[::1",
      "[::1]x", "a b",
      "127.0.0.1/", "[localhost]",
    ]
    for host in wrong {
      #expect(rules.refusal(of: head([("host", host)]), isPublic: true)?.status == 400, "\(host)")
    }
    #expect(rules.refusal(of: head([]), isPublic: true)?.status == 400)
    #expect(
      rules.refusal(of: head([("host", "localhost"), ("host", "localhost")]), isPublic: true)?.status == 400)
    // At an address of this machine, that address is a name of it.
    let there = head([("host", "192.168.1.5:11434")], client: "192.168.1.9", local: "192.168.1.5")
    #expect(rules.refusal(of: there, isPublic: true) == nil)
  }

  @Test func origins() {
    let rules = AccessRules()
    func status(_ origins: [String]) -> Int? {
      rules.refusal(of: head([("host", "localhost:11434")] + origins.map { ("origin", $0) }), isPublic: true)?
        .status
    }
    #expect(status([]) == nil)
    #expect(status(["http://localhost:11434"]) == nil)
    #expect(status(["https://LOCALHOST:11434"]) == nil)
    for origin in [
      "http://localhost", "http://localhost:11435", "null", "http://attacker.example", "file://", "",
    ] {
      #expect(status([origin]) == 403, "\(origin)")
    }
    #expect(status(["http://localhost:11434", "http://localhost:11434"]) == 403)
  }

  @Test func keys() {
    let rules = AccessRules(
      keys: ["first", "second"], networks: [AddressRange("192.168.1.0/28")].compactMap { $0 })
    func status(_ headers: [(String, String)], client: String = "127.0.0.1", isPublic: Bool = false) -> Int? {
      rules.refusal(of: head([("host", "localhost")] + headers, client: client), isPublic: isPublic)?.status
    }
    #expect(status([("authorization", "Bearer first")]) == nil)
    #expect(status([("authorization", "bearer  second")]) == nil)
    #expect(status([("x-api-key", "second")]) == nil)
    #expect(status([], isPublic: true) == nil)
    #expect(status([], client: "192.168.1.15") == nil)
    let wrong: [[(String, String)]] = [
      [], [("authorization", "Bearer third")], [("authorization", "Bearer ")],
      [("authorization", "Basic first")],
      [("authorization", "first")], [("authorization", "Bearer firs")], [("authorization", "Bearer firstt")],
      [("x-api-key", "")], [("authorization", "Bearer first"), ("x-api-key", "first")],
    ]
    for headers in wrong { #expect(status(headers) == 401, "\(headers)") }
    #expect(status([], client: "192.168.1.16") == 401)
  }

  /// Without keys, addresses that were named are the only ones, besides this machine's own.
  @Test func addresses() {
    let rules = AccessRules(networks: [AddressRange("10.0.0.0/8")].compactMap { $0 })
    func status(_ client: String) -> Int? {
      rules.refusal(of: head([("host", "localhost")], client: client), isPublic: false)?.status
    }
    #expect(status("10.1.2.3") == nil)
    #expect(status("127.0.0.1") == nil)
    #expect(status("::1") == nil)
    #expect(status("::ffff:10.1.2.3") == nil)
    #expect(status("11.0.0.1") == 403)
    #expect(status("fe80::1") == 403)
  }

  @Test func ranges() throws {
    let range = try #require(AddressRange("fe80::/10"))
    #expect(range.contains(try #require(NetworkAddress("febf::1"))))
    #expect(!range.contains(try #require(NetworkAddress("fec0::1"))))
    let all = try #require(AddressRange("0.0.0.0/0"))
    #expect(all.contains(try #require(NetworkAddress("203.0.113.9"))))
    for text in [
      "", "192.168.1", "192.168.1.0/33", "192.168.1.0/-1", "::/129", "a/8", "10.0.0.0/8/8", "10.0.0.0/",
    ] {
      #expect(AddressRange(text) == nil, "\(text)")
    }
  }

  @Test func keyFiles() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/keys"
      try write("# of the kiosk\nabc-123\r\n\n  def  \n".utf8, to: path)
      #expect(try KeyFile.keys(at: path) == ["abc-123", "def"])
      for (text, line) in [("", nil), ("# only this\n", nil), ("good\nbad key\n", 2), ("kéy", 1)]
        as [(String, Int?)]
      {
        try write(text.utf8, to: path)
        #expect { try KeyFile.keys(at: path) } throws: {
          ($0 as? FileError)?.line == line && ($0 as? FileError)?.path == path
        }
      }
      #expect(throws: InputError.missing(path: folder + "/none")) { try KeyFile.keys(at: folder + "/none") }
    }
  }
}
