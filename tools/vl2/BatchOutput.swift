import Glibc
import VL2Base
import VL2Console
import VL2Serve

/// The answers of a batch, a line each, in the order of the requests. A line is written whole before the next question is
/// asked, so that a kill costs no more than the last of them, of which there may be a beginning.
final class BatchOutput {
  /// Where answers go, looked at before the work.
  struct Place {
    /// nil for standard output.
    var path: String?
    var resumes: Bool
    var name: String { path ?? "standard output" }

    /// - Parameter inputs: paths of what the command reads.
    /// - Throws: `OutputError` where nothing can be written, or something would be lost.
    init(_ word: String, resumes: Bool, reading inputs: [String]) throws {
      self.resumes = resumes
      guard word != "-" else { return }
      path = word
      _ = try OutputFile(word, .batchAnswers, reading: inputs)
      var status = stat()
      guard stat(word, &status) == 0 else { return }
      try check(word, status)
    }

    /// Refuses a file that is not to be gone on with, and what is none.
    fileprivate func check(_ path: String, _ status: stat) throws {
      let isFile = status.st_mode & S_IFMT == S_IFREG
      if resumes, !isFile {
        throw OutputError(
          path: path,
          reason: SystemReason("--resume needs a file, and it is none", "leave --resume out", kind: .usage))
      }
      if isFile, status.st_size > 0, !resumes {
        throw OutputError(
          path: path,
          reason: SystemReason(
            "it holds answers already", "give --resume to go on with them, or another path", kind: .usage))
      }
    }
  }

  /// Bytes of the longest line that is written: an answer with the probabilities of very many tokens.
  private static let longestLine = 256 << 20

  private let place: Place
  private let descriptor: Int32
  private let isFile: Bool
  /// Lines that an earlier run has left; nil once they are all taken.
  private var old: LineReader?
  /// Bytes of whole lines.
  private var length = 0
  /// How many lines are there, and how many of them have errors.
  private(set) var count = (done: 0, refused: 0)

  /// Opens it. Nobody else may write it meanwhile.
  ///
  /// - Throws: `OutputError`, `Failure`.
  init(_ place: Place) throws {
    self.place = place
    guard let path = place.path else {
      descriptor = STDOUT_FILENO
      isFile = false
      return
    }
    var status = stat()
    isFile = stat(path, &status) != 0 || status.st_mode & S_IFMT == S_IFREG
    descriptor = open(path, (isFile ? O_RDWR | O_CREAT : O_WRONLY) | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw OutputError(path, errno) }
    guard isFile else { return }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
      throw Failure(.busy, "\(path): another process writes it", "wait for its end, or give another path")
    }
    // Since it was looked at, somebody may have written it.
    fstat(descriptor, &status)
    try place.check(path, status)
    old = LineReader(Descriptor(descriptor), longest: Self.longestLine)
  }

  // It may run before the error number of an opening that failed is read.
  deinit { if place.path != nil, descriptor >= 0 { close(descriptor) } }

  /// Calls `body`, which writes the answers to all requests, and ends the output.
  ///
  /// - Throws: what ended it. What is written until then is whole, and a later run goes on, where it can: then that is said.
  func complete(isolation: isolated (any Actor)? = #isolation, _ body: () async throws -> Void) async throws {
    do {
      try await body()
      try Interruption.check()
      try end()
    } catch {
      if isFile, old == nil, count.done > 0 {
        Console.tell(
          "\(place.name) holds the answers to \(BatchInput.lines(count.done)): give --resume to go on")
      }
      throw error
    }
  }

  /// Takes the line that an earlier run has written for a request.
  ///
  /// - Returns: whether there is one; otherwise it is to be written.
  /// - Throws: `FileError` for a line that is none for this request, with this model and these settings.
  func takeOld(_ next: BatchInput.Next) throws -> Bool {
    guard let line = try oldLine() else { return false }
    let value = try? JSONReader.read(line.bytes, writer: .program)
    // No server may have answered.
    let isUnanswered = value?.member("response") == .null && value?.member("error")?.member("code") != nil
    let status = value?.member("response")?.member("status_code")?.number
    guard let value, isUnanswered || status != nil, value.member("id") == .text(BatchRequest.id(next.name)),
      value.member("custom_id") == next.request.customID.map({ .text($0) }) ?? .null
    else {
      throw FileError(
        .badData, place.name, line: line.number,
        "is no answer to line \(next.line) of the requests with this model and these options",
        "resume with those that it was begun with, or give another path")
    }
    add(isRefused: status != 200)
    return true
  }

  private func add(isRefused: Bool) { count = (count.done + 1, count.refused + (isRefused ? 1 : 0)) }

  /// The next line of an earlier run. What is left of one that was cut off is dropped.
  private func oldLine() throws -> LineReader.Line? {
    guard let old else { return nil }
    let line: LineReader.Line?
    do throws(Descriptor.Failure) {
      line = try old.next()
    } catch {
      throw InputError.unreadable(path: place.name, reason: .reading(error.number))
    }
    if let line, line.isEnded, !line.isTooLong {
      length += line.bytes.count + 1
      return line
    }
    self.old = nil
    guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, off_t(length), SEEK_SET) >= 0 else {
      throw OutputError(place.name, errno)
    }
    return nil
  }

  /// Writes the line of a request.
  ///
  /// - Throws: `OutputError`; what is there then ends with a whole line, if the system allows that.
  func write(_ reply: BatchRequest.Reply, to next: BatchInput.Next) throws {
    try write(next.request.line(reply, name: next.name))
    add(isRefused: reply.status != 200)
  }

  private func write(_ value: JSONValue) throws {
    let line = JSONOutput.escaped(String(decoding: value.json, as: UTF8.self)) + "\n"
    guard place.path != nil else { return Console.write(line) }
    do throws(Descriptor.Failure) {
      try Descriptor(descriptor).write(line)
    } catch {
      if isFile { ftruncate(descriptor, off_t(length)) }
      throw OutputError(place.name, error.number)
    }
    length += line.utf8.count
  }

  /// Ends it after the last request.
  ///
  /// - Throws: `FileError` where an earlier run has left more lines than there are requests.
  private func end() throws {
    if let line = try oldLine() {
      throw FileError(
        .badData, place.name, line: line.number, "there are no more than \(count.done) requests",
        "resume with those that it was begun with, or give another path")
    }
    if isFile { fsync(descriptor) }
  }
}

extension ResultKind {
  /// What `vl2 batch` writes; of a run that was killed there may be a beginning alone.
  fileprivate static let batchAnswers = ResultKind(
    "a list of answers to a batch", endings: [".jsonl"], sharesEndings: true
  ) { begin in
    let own = Array("{\"id\":\"\(BatchRequest.beginOfIDs)".utf8)
    return begin.starts(with: own) || own.starts(with: begin)
  }
}
