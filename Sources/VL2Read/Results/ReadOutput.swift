import Glibc
import VL2Base

/// A result that is written piece by piece, so that work which was killed can go on.
///
/// Pieces go to `FILE.part`; a line in `FILE.part.journal` says of each how long the file was after it. A piece is on the disk
/// before its line, so what the journal says is there. Whole lines count alone, and what `FILE.part` has beyond the last of them
/// is cut off. At the end `FILE.part` becomes `FILE`. What a piece is made of takes longer to read than to keep, so it stands in
/// the journal until the piece is there.
package final class ReadOutput {
  /// How many pieces there are.
  package private(set) var pieces = 0
  /// How many of them tell of something that could not be read.
  package private(set) var failures = 0
  /// What is kept for the next piece, in the order in which it came.
  package private(set) var kept: [PageContent] = []
  private let path: String
  private let target: String
  private let part: Int32
  private let journal: Int32
  private var length = 0
  /// Whether files were made here in which nothing is yet.
  private var isFresh = false

  private static let longestJournal = 256 << 20

  /// The files that are written besides the result.
  package static func files(_ path: String) -> [String] {
    let target = target(path)
    return [target + ".part", target + ".part.journal"]
  }

  /// Finds out whether a result can be written, before any work.
  ///
  /// - Parameters:
  ///   - kind: what the result is.
  ///   - inputs: the paths of everything that is read.
  /// - Throws: `OutputError`, of the kind `usage` where it would destroy something.
  package static func check(_ path: String, _ kind: ResultKind, reading inputs: [String]) throws {
    _ = try OutputFile(path, kind, reading: inputs)
    let files = files(path)
    // What an earlier run left may be replaced, and nothing else.
    let journal = ResultKind("a journal of vl2 read", endings: []) { $0.starts(with: #"{"vl2_read":"#.utf8) }
    try journal.check(files[1], reading: inputs)
    let hasJournal = (FileStatus(files[1])?.bytes ?? 0) > 0
    try ResultKind("unfinished work of vl2 read", endings: []) { _ in hasJournal }.check(
      files[0], reading: inputs)
    for file in files {
      var status = stat()
      guard lstat(file, &status) == 0, status.st_mode & S_IFMT != S_IFREG else { continue }
      throw OutputError(
        path: file, reason: SystemReason("it is there, and is no file", "give another path", kind: .usage))
    }
  }

  /// Whether the result is a device or a pipe, which cannot be gone on with.
  package static func isStream(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT != S_IFREG
  }

  /// Begins, or goes on.
  ///
  /// - Parameters:
  ///   - work: what is done.
  ///   - head: what comes before the first piece.
  ///   - resumes: whether to go on with what an earlier run left. Where nothing is left, and nothing was finished, it begins.
  /// - Throws: `OutputError`, `ReadError`.
  package init(_ path: String, _ work: ReadWork, head: String, resumes: Bool) throws {
    self.path = path
    target = Self.target(path)
    let files = Self.files(path)
    let isLeft = (FileStatus(files[1])?.bytes ?? 0) > 0
    if resumes, !isLeft, FileStatus(target) != nil { throw ReadError.nothingToResume(path: path) }
    journal = open(files[1], O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
    guard journal >= 0 else { throw OutputError(files[1], errno) }
    part = open(files[0], O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o666)
    guard part >= 0 else {
      let reason = errno
      close(journal)
      throw OutputError(files[0], reason)
    }
    // From here on every property is there, so deinit closes both.
    guard flock(journal, LOCK_EX | LOCK_NB) == 0 else { throw ReadError.inUse(path: path) }
    if resumes, isLeft {
      try goOn(work, head)
    } else {
      isFresh = true
      guard ftruncate(part, 0) == 0, ftruncate(journal, 0) == 0 else { throw OutputError(files[0], errno) }
      try append(head, to: part, files[0])
      length = head.utf8.count
      try append(String(decoding: work.json.json, as: UTF8.self) + "\n", to: journal, files[1])
    }
  }

  deinit {
    // Work that ended before its first piece leaves nothing.
    if isFresh { for file in Self.files(path) { unlink(file) } }
    close(part)
    close(journal)
  }

  /// Writes a piece.
  ///
  /// - Throws: `OutputError`.
  package func write(_ text: String, isFailure: Bool = false) throws {
    let files = Self.files(path)
    try append(text, to: part, files[0])
    guard fdatasync(part) == 0 || errno == EINVAL || errno == EROFS else {
      throw OutputError(files[0], errno)
    }
    length += text.utf8.count
    pieces += 1
    kept = []
    try note(["bytes": .integer(length), "failed": .bool(isFailure)], isFailure: isFailure)
  }

  /// Keeps what was read for the next piece.
  ///
  /// - Throws: `OutputError`.
  package func keep(_ content: PageContent) throws {
    guard let json = content.kept else { return }
    kept.append(content)
    var isFailure = false
    if case .failed = content { isFailure = true }
    try note(
      ["bytes": .integer(length), "failed": .bool(isFailure), "kept": json], isFailure: isFailure)
    guard fdatasync(journal) == 0 || errno == EINVAL || errno == EROFS else {
      throw OutputError(Self.files(path)[1], errno)
    }
  }

  private func note(_ line: JSONValue, isFailure: Bool) throws {
    isFresh = false
    if isFailure { failures += 1 }
    try append(String(decoding: line.json, as: UTF8.self) + "\n", to: journal, Self.files(path)[1])
  }

  /// Puts the result in its place.
  ///
  /// - Throws: `OutputError`.
  package func finish() throws {
    let files = Self.files(path)
    var status = stat()
    if stat(target, &status) == 0 { fchmod(part, status.st_mode & 0o777) }
    guard fsync(part) == 0 || errno == EINVAL || errno == EROFS, rename(files[0], target) == 0 else {
      throw OutputError(path, errno)
    }
    unlink(files[1])
    isFresh = false
  }

  private func goOn(_ work: ReadWork, _ head: String) throws {
    let files = Self.files(path)
    let bytes: [UInt8]
    do throws(Descriptor.Failure) {
      bytes = try Descriptor(journal).bytes(atMost: Self.longestJournal)
    } catch {
      throw OutputError(files[1], error.number)
    }
    // What follows the last line feed is no whole line.
    let lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false).dropLast()
    guard let first = lines.first, let begun = try? JSONReader.read(Array(first)) else {
      throw ReadError.nothingToResume(path: path)
    }
    if let difference = work.difference(from: begun) {
      throw ReadError.otherWork(path: path, what: difference)
    }
    var status = stat()
    guard fstat(part, &status) == 0 else { throw OutputError(files[0], errno) }
    let there = Int(status.st_size)
    length = head.utf8.count
    if there < length {
      guard ftruncate(part, 0) == 0 else { throw OutputError(files[0], errno) }
      try append(head, to: part, files[0])
    }
    var end = first.endIndex + 1
    for line in lines.dropFirst() {
      guard let piece = try? JSONReader.read(Array(line)), case .integer(let bytes)? = piece.member("bytes"),
        bytes >= length, bytes <= there
      else { break }
      if let json = piece.member("kept") {
        guard bytes == length, let content = PageContent(kept: json) else { break }
        kept.append(content)
      } else {
        kept = []
        pieces += 1
      }
      length = bytes
      if piece.member("failed") == true { failures += 1 }
      end = line.endIndex + 1
    }
    guard ftruncate(part, off_t(length)) == 0, lseek(part, 0, SEEK_END) >= 0,
      ftruncate(journal, off_t(end)) == 0, lseek(journal, 0, SEEK_END) >= 0
    else { throw OutputError(files[0], errno) }
  }

  private func append(_ text: String, to descriptor: Int32, _ path: String) throws {
    do throws(Descriptor.Failure) {
      try Descriptor(descriptor).write(text)
    } catch {
      throw OutputError(path, error.number)
    }
  }

  /// The file that a path leads to.
  private static func target(_ path: String) -> String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
