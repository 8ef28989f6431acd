import Glibc

/// An open file, pipe or terminal, and whole reads and writes on it: those of the system may do less than they were asked.
package struct Descriptor: Sendable {
  /// Why the system refused.
  package struct Failure: Error {
    /// The system's error number.
    package var number: Int32
  }

  package static let standardInput = Descriptor(STDIN_FILENO)

  package let number: Int32

  package init(_ number: Int32) { self.number = number }

  /// What is left to read, but no more than `limit` bytes.
  package func bytes(atMost limit: Int) throws(Failure) -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < limit {
      let room = min(limit - bytes.count, 1 << 20)
      var failure: Int32?
      let piece = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
        repeat { count = read(number, buffer.baseAddress, room) } while count < 0 && errno == EINTR
        if count < 0 { (failure, count) = (errno, 0) }
      }
      if let failure { throw Failure(number: failure) }
      if piece.isEmpty { break }
      bytes += piece
    }
    return bytes
  }

  /// Writes everything.
  package func write(_ bytes: UnsafeRawBufferPointer) throws(Failure) {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(number, bytes.baseAddress.map { $0 + done }, bytes.count - done)
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw Failure(number: errno) }
      done += count
    }
  }

  /// Writes a text as UTF-8.
  package func write(_ text: String) throws(Failure) {
    let bytes = Array(text.utf8)
    let result = bytes.withUnsafeBytes { bytes in
      Result { () throws(Failure) in try write(bytes) }
    }
    try result.get()
  }
}
