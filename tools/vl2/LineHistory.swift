import FoundationEssentials
import Glibc
import VL2Base

/// Lines that were typed before, kept in a file that only its owner can read, one a line. It is a
/// convenience: if the file cannot be read or written, the program does without it.
struct LineHistory {
  private(set) var lines: [String] = []
  private let path: String?

  private static let longest = 500
  private static let longestLine = 4096
  /// The file may grow to twice as many lines as are kept before it is rewritten.
  private static let largestFile = 2 * longest * longestLine

  /// - Parameter path: the file; nil for a history that ends with the program.
  init(path: String?) {
    self.path = path
    guard let path, let found = Self.read(path) else { return }
    lines = found.suffix(Self.longest)
    if found.count > 2 * Self.longest { rewrite(path) }
  }

  /// Remembers a line, unless it is blank or repeats the last one.
  mutating func append(_ line: String) {
    guard !line.allSatisfy(\.isWhitespace), line != lines.last else { return }
    lines.append(line)
    if lines.count > Self.longest { lines.removeFirst() }
    guard let path, Self.isKept(line) else { return }
    let folder = PathText.folder(of: path)
    try? FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    // Appends whole lines, so that several conversations can go on at once.
    let descriptor = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0o600)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    guard Self.isFile(descriptor), fchmod(descriptor, 0o600) == 0 else { return }
    try? Descriptor(descriptor).write(line + "\n")
  }

  /// The lines in a file that can have been typed; nil if there is no such file.
  private static func read(_ path: String) -> [String]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    guard isFile(descriptor), let bytes = try? Descriptor(descriptor).bytes(atMost: largestFile) else {
      return nil
    }
    return bytes.split(separator: UInt8(ascii: "\n")).compactMap { bytes in
      guard let line = String(validating: bytes, as: UTF8.self), isKept(line) else { return nil }
      return line
    }
  }

  /// Rewrites a file that has grown too long with the lines that are kept, whole or not at all.
  private func rewrite(_ path: String) {
    let next = path + ".new"
    unlink(next)
    let descriptor = open(next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    let text = lines.filter { Self.isKept($0) }.map { $0 + "\n" }.joined()
    if (try? Descriptor(descriptor).write(text)) != nil { rename(next, path) } else { unlink(next) }
  }

  private static func isFile(_ descriptor: Int32) -> Bool {
    var status = stat()
    return fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  private static func isKept(_ line: String) -> Bool {
    line.utf8.count <= longestLine && UntrustedText.isLine(line)
  }
}
