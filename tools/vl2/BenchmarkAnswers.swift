import Glibc
import VL2Base
import VL2Console
import VL2Measure

/// The answers to a benchmark, a line each in the order of the items, written before the next one is asked, so that a kill costs
/// no more than the last of them.
final class BenchmarkAnswers {
  private struct Line: Encodable {
    var id: String
    var index: String
    var line: Int
    var groups: [String: String]
    var answer: String
    var score: Double
  }

  /// Where answers go, looked at before the work.
  struct Place {
    var path: String
    var resumes: Bool

    /// - Parameter inputs: paths of what the command reads.
    /// - Throws: `OutputError` where nothing can be written, or something would be lost.
    init(_ path: String, resumes: Bool, reading inputs: [String]) throws {
      (self.path, self.resumes) = (path, resumes)
      _ = try OutputFile(path, .benchmarkAnswers, reading: inputs)
      var status = stat()
      if stat(path, &status) == 0 { try check(status) }
    }

    fileprivate func check(_ status: stat) throws {
      func refuse(_ problem: String, _ hint: Hint) -> OutputError {
        OutputError(path: path, reason: SystemReason(problem, hint, kind: .usage))
      }
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw refuse("it is not a regular file", "give the path of a file")
      }
      if status.st_size > 0, !resumes {
        throw refuse("it holds answers already", "give --resume to go on with them, or another path")
      }
    }
  }

  private static let longestLine = 16 << 20

  let path: String
  private let descriptor: Int32
  /// Lines of an earlier run; nil once they are all taken.
  private var old: LineReader?
  /// Bytes of whole lines.
  private var length = 0

  /// Opens it. Nobody else may write it meanwhile.
  ///
  /// - Throws: `OutputError`, `Failure`.
  init(_ place: Place) throws {
    path = place.path
    descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw OutputError(path, errno) }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
      throw Failure(.busy, "\(path): another process writes it", "wait for its end, or give another path")
    }
    // Since it was looked at, somebody may have written it.
    var status = stat()
    fstat(descriptor, &status)
    try place.check(status)
    old = LineReader(Descriptor(descriptor), longest: Self.longestLine)
  }

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Takes what an earlier run has written for an item.
  ///
  /// - Returns: its score; nil where there is no whole line any more, and so the item is to be asked.
  /// - Throws: `FileError` for a line that is none for this item, with this model and these settings.
  func takeOld(_ identity: String, _ item: BenchmarkItem) throws -> Double? {
    guard let line = try oldLine() else { return nil }
    let value = try? JSONReader.read(line.bytes, writer: .program)
    guard let value, value.member("id") == .text(identity), let score = value.member("score")?.number,
      (0...1).contains(score)
    else {
      throw FileError(
        .badData, path, line: line.number,
        "is no answer to line \(item.line) of the questions with this model and these options",
        "resume with those that it was begun with, or give another path")
    }
    return score
  }

  private func oldLine() throws -> LineReader.Line? {
    guard let old else { return nil }
    let line: LineReader.Line?
    do throws(Descriptor.Failure) {
      line = try old.next()
    } catch {
      throw InputError.unreadable(path: path, reason: .reading(error.number))
    }
    if let line, line.isEnded, !line.isTooLong {
      length += line.bytes.count + 1
      return line
    }
    // What is left of a line that was cut off is dropped.
    self.old = nil
    guard ftruncate(descriptor, off_t(length)) == 0, lseek(descriptor, off_t(length), SEEK_SET) >= 0 else {
      throw OutputError(path, errno)
    }
    return nil
  }

  /// - Throws: `OutputError`; what is there then ends with a whole line, if the system allows that.
  func write(_ identity: String, _ item: BenchmarkItem, answer: String, score: Double) throws {
    let text = try JSONOutput.text(
      Line(
        id: identity, index: item.index, line: item.line, groups: item.groups, answer: answer, score: score))
    do throws(Descriptor.Failure) {
      try Descriptor(descriptor).write(text)
    } catch {
      ftruncate(descriptor, off_t(length))
      throw OutputError(path, error.number)
    }
    length += text.utf8.count
  }

  /// Ends it after the last item.
  ///
  /// - Throws: `FileError` where an earlier run has left more lines than there are items.
  func end() throws {
    if let line = try oldLine() {
      throw FileError(
        .badData, path, line: line.number, "there are no more items than lines before this one",
        "resume with the file and --limit that it was begun with, or give another path")
    }
    fsync(descriptor)
  }
}

extension ResultKind {
  /// What `vl2 eval --tsv --answers` writes; of a run that was killed there may be a beginning alone.
  fileprivate static let benchmarkAnswers = ResultKind(
    "a list of answers to a benchmark", endings: [".jsonl", ".json"], sharesEndings: true
  ) { begin in
    let own = Array(#"{"answer":"#.utf8)
    return begin.starts(with: own) || own.starts(with: begin)
  }
}
