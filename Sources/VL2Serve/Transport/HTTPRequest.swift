import VL2Base

/// What comes before a request's body.
package struct RequestHead: Sendable {
  package var method: String
  /// As it was sent: nothing is unescaped, and no part is left out.
  package var path: String
  /// `HTTP/1.1` or `HTTP/1.0`.
  package var version: String
  /// In the order in which they came; names in lower case.
  package var headers: [(name: String, value: String)]
  /// The client; nil where the system does not say.
  package var client: NetworkAddress?
  /// The address of this machine that the client connected to.
  package var local: NetworkAddress?
  /// When the head was complete.
  package var arrived = ContinuousClock.now

  package init(method: String, path: String, version: String, headers: [(name: String, value: String)]) {
    self.method = method
    self.path = path
    self.version = version
    self.headers = headers
  }

  /// The values of a header.
  package func values(_ name: String) -> [String] { headers.filter { $0.name == name }.map(\.value) }

  /// The first value of a header, without white space at both ends.
  package func value(_ name: String) -> String? { values(name).first?.trimmingSpace }
}

/// A request that is complete.
package struct HTTPRequest: Sendable {
  package var head: RequestHead
  package var body: [UInt8]
}

/// A response that is complete.
package struct HTTPResponse: Sendable {
  package var status: Int
  package var headers: [(name: String, value: String)]
  package var body: [UInt8]
  /// Whether the connection ends with it.
  package var closes = false

  package init(status: Int, headers: [(name: String, value: String)] = [], body: [UInt8] = []) {
    self.status = status
    self.headers = headers
    self.body = body
  }

  package init(status: Int, contentType: String, text: String) {
    self.init(status: status, headers: [("Content-Type", contentType)], body: Array(text.utf8))
  }
}

extension String {
  /// Without blanks and tabs at both ends.
  package var trimmingSpace: String {
    let isSpace = { (character: Character) in character == " " || character == "\t" }
    return String(drop(while: isSpace).reversed().drop(while: isSpace).reversed())
  }
}
