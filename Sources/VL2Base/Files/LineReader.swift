import Glibc

/// The lines of an open file or pipe, one after the other, in memory that grows neither with the file nor with a line.
package final class LineReader {
  /// A line without its end.
  package struct Line {
    /// Counted from 1.
    package var number: Int
    /// What it says; of a line that is too long, its beginning.
    package var bytes: [UInt8]
    /// Whether it has more bytes than lines may have.
    package var isTooLong: Bool
    /// Whether a line feed ends it.
    package var isEnded: Bool
    /// Where it begins in what was read.
    package var offset: Int
    /// Whether it holds nothing but white space.
    package var isBlank: Bool { !isTooLong && bytes.allSatisfy { $0 == 0x20 || (0x09...0x0D).contains($0) } }
  }

  private let descriptor: Descriptor
  private let longest: Int
  private var buffer = [UInt8](repeating: 0, count: 1 << 18)
  private var unread = 0..<0
  private var number = 0
  /// Bytes that were handed on.
  private var offset = 0
  private var isOver = false

  /// - Parameter longest: the most bytes of a line.
  package init(_ descriptor: Descriptor, longest: Int) {
    self.descriptor = descriptor
    self.longest = longest
  }

  /// - Parameters:
  ///   - isStopped: is asked while nothing comes.
  ///   - see: is shown all bytes of the line, piece by piece, also of one that is too long.
  /// - Returns: the next line; nil at the end, or once `isStopped` says so.
  /// - Throws: `Descriptor.Failure`.
  package func next(
    unless isStopped: () -> Bool = { false }, seeing see: (UnsafeRawBufferPointer) -> Void = { _ in }
  ) throws(Descriptor.Failure) -> Line? {
    var line = Line(number: number + 1, bytes: [], isTooLong: false, isEnded: false, offset: offset)
    while true {
      if unread.isEmpty, try !fill(isStopped) { break }
      let end = lineFeed()
      let piece = unread.lowerBound..<(end ?? unread.upperBound)
      buffer.withUnsafeBytes { see(UnsafeRawBufferPointer(rebasing: $0[piece])) }
      let room = longest - line.bytes.count
      line.bytes += buffer[piece].prefix(room)
      if piece.count > room { line.isTooLong = true }
      offset += piece.count + (end == nil ? 0 : 1)
      unread = min(piece.upperBound + 1, unread.upperBound)..<unread.upperBound
      if end != nil {
        line.isEnded = true
        break
      }
      unread = 0..<0
    }
    if offset == line.offset || (!line.isEnded && isStopped()) { return nil }
    number += 1
    return line
  }

  private func lineFeed() -> Int? {
    buffer.withUnsafeBytes { bytes in
      guard let start = bytes.baseAddress, let found = memchr(start + unread.lowerBound, 0x0A, unread.count)
      else { return nil }
      return UnsafeRawPointer(found) - start
    }
  }

  /// Reads more; false where there is no more.
  private func fill(_ isStopped: () -> Bool) throws(Descriptor.Failure) -> Bool {
    while !isOver {
      // A read would wait for a pipe however long that takes.
      var place = pollfd(fd: descriptor.number, events: Int16(POLLIN), revents: 0)
      let ready = poll(&place, 1, 200)
      if isStopped() { return false }
      if ready == 0 || (ready < 0 && errno == EINTR) { continue }
      let count = buffer.withUnsafeMutableBytes { read(descriptor.number, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      guard count >= 0 else { throw Descriptor.Failure(number: errno) }
      if count == 0 { isOver = true }
      unread = 0..<count
      return count > 0
    }
    return false
  }
}
