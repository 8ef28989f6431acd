import FoundationEssentials
import Glibc

/// A file that cannot be written.
public struct OutputError: ReportableError, Equatable {
  public var path: String
  public var reason: SystemReason

  public var kind: ErrorKind { reason.kind }
  public var problem: String {
    "\(path.isEmpty ? "\"\"" : path): cannot be written: \(reason.problem)"
  }
  public var hint: Hint { reason.hint }

  package init(path: String, reason: SystemReason) {
    self.path = path
    self.reason = reason
  }

  /// - Parameter number: the system's error number.
  package init(_ path: String, _ number: Int32) {
    self.init(path: path, reason: SystemReason.writing(number))
  }
}

/// A file for the result of long work. `init` finds out before the work whether the file can be written.
/// Nothing is created or changed until the result is there. Then the file is written whole or not at all.
package struct OutputFile {
  package let path: String
  /// Devices and pipes are written to directly; anything else is replaced.
  private let isReplaced: Bool

  /// For a result of a command.
  ///
  /// - Parameters:
  ///   - kind: what is written, and so what it may replace (`ResultKind.check`).
  ///   - inputs: the paths of everything that the command reads.
  /// - Throws: `OutputError` if no file can be written here, or if it would destroy another.
  package init(_ path: String, _ kind: ResultKind, reading inputs: [String]) throws {
    try self.init(replacing: path)
    try kind.check(path, reading: inputs)
  }

  /// For a caller who answers for what is there, because it is his own or because he was told to replace it.
  ///
  /// - Throws: `OutputError` if no file can be written here.
  package init(replacing path: String) throws {
    self.path = path
    guard !path.isEmpty else { throw OutputError(path, ENOENT) }
    var status = stat()
    if stat(path, &status) == 0 {
      let kind = status.st_mode & S_IFMT
      guard kind != S_IFDIR else { throw OutputError(path, EISDIR) }
      guard access(path, W_OK) == 0 else { throw OutputError(path, errno) }
      isReplaced = kind == S_IFREG
    } else {
      guard errno == ENOENT else { throw OutputError(path, errno) }
      guard path.last != "/" else { throw OutputError(path, EISDIR) }
      isReplaced = true
    }
    let folder = PathText.folder(of: target)
    guard !isReplaced || access(folder.isEmpty ? "." : folder, W_OK | X_OK) == 0 else {
      throw OutputError(path, errno)
    }
  }

  /// Writes the file.
  ///
  /// - Throws: `OutputError`; whatever was there before is then still there.
  package func write(_ data: Data) throws {
    guard isReplaced else {
      let descriptor = open(path, O_WRONLY | O_CLOEXEC)
      guard descriptor >= 0 else { throw OutputError(path, errno) }
      defer { close(descriptor) }
      return try write(data, to: descriptor)
    }
    let target = target
    let temporary = "\(target).\(getpid()).part"
    var status = stat()
    let mode = stat(target, &status) == 0 ? status.st_mode & 0o777 : 0o666
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
    guard descriptor >= 0 else { throw OutputError(path, errno) }
    defer { close(descriptor) }
    do {
      try write(data, to: descriptor)
      guard rename(temporary, target) == 0 else { throw OutputError(path, errno) }
    } catch {
      unlink(temporary)
      throw error
    }
  }

  private func write(_ data: Data, to descriptor: Int32) throws {
    do {
      try data.withUnsafeBytes { try Descriptor(descriptor).write($0) }
    } catch let failure as Descriptor.Failure {
      throw OutputError(path, failure.number)
    }
  }

  /// The file to replace: if the path is a link, the file that it points to.
  private var target: String {
    guard let resolved = realpath(path, nil) else { return path }
    defer { free(resolved) }
    return String(cString: resolved)
  }
}
