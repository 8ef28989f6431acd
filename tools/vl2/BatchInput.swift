import ArgumentParser
import Glibc
import VL2Base
import VL2Console
import VL2Serve

/// One of several equal parts of a batch: `2/3`.
struct Shard: Equatable {
  var part, parts: Int

  /// - Throws: `ValidationError`.
  init(_ text: String) throws {
    let numbers = text.split(separator: "/", omittingEmptySubsequences: false).map { Int($0) }
    guard numbers.count == 2, let part = numbers[0], let parts = numbers[1], (1...100_000).contains(parts),
      (1...parts).contains(part)
    else { throw ValidationError("--shard \(text): give I/N, for example 2/3, with I from 1 to N.") }
    (self.part, self.parts) = (part, parts)
  }

  /// The places of its lines among so many. Parts follow one another, so that their outputs do too.
  func range(of count: Int) -> Range<Int> {
    let begin = count.multipliedFullWidth(by: part - 1)
    let end = count.multipliedFullWidth(by: part)
    return parts.dividingFullWidth(begin).quotient..<parts.dividingFullWidth(end).quotient
  }
}

/// The requests of a batch, one after the other. Blank lines are none.
final class BatchInput {
  /// A request that is to be answered.
  struct Next {
    /// Its line in the file.
    var line: Int
    var request: BatchRequest
    /// Bytes of the line.
    var bytes: Int
    /// 64 hexadecimal digits: of the line, of its place among the requests, and of the settings.
    var name: String
    /// The line that has the same `custom_id`.
    var earlier: Int?
  }

  /// Part of a hash of a `custom_id`: a batch may have millions.
  private struct IDHash: Hashable {
    var high, low: UInt64

    init(_ id: String) {
      let digits = Array(id.utf8).withUnsafeBytes(sha256Hexadecimal)
      high = UInt64(digits.prefix(16), radix: 16) ?? 0
      low = UInt64(digits.dropFirst(16).prefix(16), radix: 16) ?? 0
    }
  }

  /// As many bytes as a request to the server may have, and room for what is around it.
  static let longestLine = TransportLimits().bodyBytes + (1 << 20)

  private let path: String
  private let descriptor: Descriptor
  private let reader: LineReader
  /// Places of the requests that are to be answered; nil where it is not known how many there are.
  private let range: Range<Int>?
  /// Requests that were read.
  private var count = 0
  private var lines: [IDHash: Int] = [:]

  /// - Throws: `InputError` where it cannot be read, `ValidationError` where lines of a stream were to be counted.
  init(_ path: String, shard: Shard?) throws {
    self.path = path
    let number = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard number >= 0 else {
      throw errno == ENOENT
        ? InputError.missing(path: path) : InputError.unreadable(path: path, reason: .reading(errno))
    }
    descriptor = Descriptor(number)
    var status = stat()
    fstat(number, &status)
    if status.st_mode & S_IFMT == S_IFDIR {
      close(number)
      throw InputError.unreadable(
        path: path, reason: SystemReason("it is a folder", "give a file of requests", kind: .noInput))
    }
    if status.st_mode & S_IFMT == S_IFREG, path != "-" {
      let all = try Self.count(descriptor, path)
      lseek(number, 0, SEEK_SET)
      range = shard?.range(of: all) ?? 0..<all
    } else if shard != nil {
      close(number)
      throw ValidationError("--shard needs a file, whose lines can be counted first; \(path) is none.")
    } else {
      range = nil
    }
    reader = LineReader(descriptor, longest: Self.longestLine)
  }

  deinit { if descriptor.number != STDIN_FILENO { close(descriptor.number) } }

  private static func count(_ descriptor: Descriptor, _ path: String) throws -> Int {
    let reader = LineReader(descriptor, longest: longestLine)
    var count = 0
    do throws(Descriptor.Failure) {
      while let line = try reader.next() { count += line.isBlank ? 0 : 1 }
    } catch {
      throw InputError.unreadable(path: path, reason: .reading(error.number))
    }
    return count
  }

  /// The next request that is to be answered; nil at the end, or once a signal has come while there is none.
  ///
  /// - Parameter settings: 64 hexadecimal digits of everything that answers depend on besides the requests.
  /// - Throws: `InputError`.
  func next(_ settings: String) throws -> Next? {
    // Lines before a part are read too: one of its own may have the same `custom_id`.
    while count < range?.upperBound ?? .max {
      let hash = SHA256()
      let read: LineReader.Line?
      do throws(Descriptor.Failure) {
        read = try reader.next(unless: { Interruption.isRequested }, seeing: { hash.append($0) })
      } catch {
        throw InputError.unreadable(path: path, reason: .reading(error.number))
      }
      guard let line = read else { return nil }
      if line.isBlank { continue }
      let request = BatchRequest(line, mostBytes: Self.longestLine)
      let earlier = request.customID.flatMap { self.earlier(IDHash($0), line.number) }
      count += 1
      guard range?.contains(count - 1) ?? true else { continue }
      let identity = "\(settings)\n\(count)\n\(hash.finish())"
      return Next(
        line: line.number, request: request, bytes: line.bytes.count,
        name: Array(identity.utf8).withUnsafeBytes(sha256Hexadecimal),
        earlier: earlier)
    }
    return nil
  }

  /// The line that had an id before; where there is none, it is noted as this one's.
  private func earlier(_ id: IDHash, _ line: Int) -> Int? {
    if let earlier = lines[id] { return earlier }
    lines[id] = line
    return nil
  }

  /// Shows how far the work is.
  func show(_ count: (done: Int, refused: Int), on status: StatusLine) {
    let errors = count.refused > 0 ? ", \(count.refused) with errors" : ""
    guard let range else { return status.show("\(Self.lines(count.done)) answered\(errors)") }
    status.show(
      Double(count.done) / Double(max(1, range.count)), "\(count.done) of \(Self.lines(range.count))\(errors)"
    )
  }

  static func lines(_ count: Int) -> String { "\(count) line\(count == 1 ? "" : "s")" }
}
