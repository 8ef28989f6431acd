import VL2Base

/// Reads one response, after which the connection ends, from a server that nobody vouches for.
///
/// It wants what every server of today sends: a head of lines that end with CR LF, then a body whose length is known, or one in
/// chunks. A body that ends with the connection is refused, because nobody could tell a whole one from one that was cut off.
///
/// Source: RFC 9112, "HTTP/1.1".
package struct ResponseReader {
  package struct Response: Sendable, Equatable {
    package var status: Int
    /// In the order in which they came; names in lower case.
    package var headers: [(name: String, value: String)]
    package var body: [UInt8]

    /// The first value of a header, without white space at both ends.
    package func value(_ name: String) -> String? { headers.first { $0.name == name }?.value }

    package static func == (one: Response, other: Response) -> Bool {
      one.status == other.status && one.body == other.body
        && one.headers.elementsEqual(other.headers) { $0 == $1 }
    }
  }

  /// What is wrong with a response, as a clause: "has no length".
  package struct Failure: Error, Equatable {
    package var problem: String
  }

  private enum Phase: Equatable {
    case head
    case body(left: Int)
    case chunkSize
    case chunk(left: Int)
    case chunkEnd
    case trailer
    case over
  }

  /// Bytes of all heads and of all lines around chunks.
  package static let mostHeadBytes = 64 << 10

  private let mostBytes: Int
  private var phase = Phase.head
  private var unread: [UInt8] = []
  /// How many bytes of `unread` were handed on.
  private var taken = 0
  /// Bytes of lines so far, those of chunks not counted.
  private var lineBytes = 0
  private var lines: [[UInt8]] = []
  private var response = Response(status: 0, headers: [], body: [])

  /// - Parameter mostBytes: the most bytes of a body.
  package init(mostBytes: Int) { self.mostBytes = mostBytes }

  /// Takes what came.
  ///
  /// - Returns: the response, once it is whole; what follows it is of no interest.
  /// - Throws: `Failure`.
  package mutating func take(_ bytes: some Sequence<UInt8>) throws(Failure) -> Response? {
    unread += bytes
    while try step() {}
    unread.removeFirst(taken)
    taken = 0
    return phase == .over ? response : nil
  }

  /// Whether anything came.
  package var isEmpty: Bool { phase == .head && lines.isEmpty && unread.isEmpty }

  /// Goes on with what there is; false where that is not enough.
  private mutating func step() throws(Failure) -> Bool {
    switch phase {
    case .head:
      guard let line = try line() else { return false }
      if !line.isEmpty {
        lines.append(line)
        return true
      }
      try readHead()
      return true
    case .body(let left):
      guard left > 0 else {
        phase = .over
        return true
      }
      guard let count = move(left) else { return false }
      phase = .body(left: left - count)
      return true
    case .chunkSize:
      guard let line = try line() else { return false }
      // Each comes with a byte of the body at least, of which there are not too many.
      lineBytes -= min(line.count + 2, 12)
      let size = try Self.chunkSize(line)
      guard size <= mostBytes - response.body.count else { throw tooLong }
      phase = size == 0 ? .trailer : .chunk(left: size)
      return true
    case .chunk(let left):
      guard left > 0 else {
        phase = .chunkEnd
        return true
      }
      guard let count = move(left) else { return false }
      phase = .chunk(left: left - count)
      return true
    case .chunkEnd:
      guard let line = try line() else { return false }
      // The two bytes after each chunk are no lines of their own.
      lineBytes -= 2
      guard line.isEmpty else { throw Failure(problem: "has a chunk that is longer than it says") }
      phase = .chunkSize
      return true
    case .trailer:
      guard let line = try line() else { return false }
      if line.isEmpty { phase = .over }
      return true
    case .over: return false
    }
  }

  private var tooLong: Failure { Failure(problem: "has more than \(mostBytes) bytes") }

  /// Adds what there is to the body, at most so many bytes.
  private mutating func move(_ most: Int) -> Int? {
    let count = min(most, unread.count - taken)
    guard count > 0 else { return nil }
    response.body += unread[taken..<taken + count]
    taken += count
    return count
  }

  /// The next line, without its end.
  private mutating func line() throws(Failure) -> [UInt8]? {
    let rest = unread[taken...]
    guard let end = rest.firstIndex(of: 0x0A) else {
      guard lineBytes + rest.count <= Self.mostHeadBytes else { throw Self.longHead }
      return nil
    }
    lineBytes += end + 1 - taken
    guard lineBytes <= Self.mostHeadBytes else { throw Self.longHead }
    let line = rest[..<end]
    taken = end + 1
    guard line.last == 0x0D, !line.dropLast().contains(where: { $0 < 0x20 && $0 != 0x09 || $0 == 0x7F })
    else {
      throw Failure(problem: "has a line that is none of HTTP")
    }
    return Array(line.dropLast())
  }

  private static let longHead = Failure(problem: "has a head of more than \(mostHeadBytes) bytes")

  private mutating func readHead() throws(Failure) {
    guard let first = lines.first, let status = Self.status(first) else {
      throw Failure(problem: "does not begin as one of HTTP")
    }
    response.status = status
    response.headers = []
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")), colon > 0,
        line[..<colon].allSatisfy({ (0x21...0x7E).contains($0) })
      else { throw Failure(problem: "has a header that is none") }
      response.headers.append(
        (
          String(decoding: line[..<colon], as: UTF8.self).lowercased(),
          String(decoding: line[(colon + 1)...], as: UTF8.self).trimmingSpace
        ))
    }
    lines = []
    switch status {
    // Something that comes before the response.
    case 100...199: return
    case 204, 304:
      phase = .over
      return
    default: break
    }
    let encodings = response.headers.filter { $0.name == "transfer-encoding" }
    let lengths = Set(response.headers.filter { $0.name == "content-length" }.map(\.value))
    if !encodings.isEmpty {
      guard encodings.count == 1, encodings[0].value.lowercased() == "chunked", lengths.isEmpty else {
        throw Failure(problem: "says in two ways how long it is, or in one that is not known here")
      }
      phase = .chunkSize
      return
    }
    guard let text = lengths.first else { throw Failure(problem: "does not say how long it is") }
    guard lengths.count == 1, text.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(text)
    else {
      throw Failure(problem: "has a length that is no number")
    }
    guard length <= mostBytes else { throw tooLong }
    phase = .body(left: length)
  }

  /// The status in `HTTP/1.1 200 OK`.
  private static func status(_ line: [UInt8]) -> Int? {
    guard line.starts(with: "HTTP/1.".utf8), line.count >= 12, line[8] == 0x20,
      line.count == 12 || line[12] == 0x20,
      let number = Int(String(decoding: line[9..<12], as: UTF8.self)), (100...599).contains(number)
    else { return nil }
    return number
  }

  /// The size in `1a` or `1a;extension`.
  private static func chunkSize(_ line: [UInt8]) throws(Failure) -> Int {
    let digits = line.prefix { $0 != UInt8(ascii: ";") && $0 != 0x20 }
    guard !digits.isEmpty, digits.count <= 8, digits.allSatisfy({ Character(Unicode.Scalar($0)).isHexDigit }),
      let size = Int(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw Failure(problem: "has a chunk whose size is no number") }
    return size
  }
}
