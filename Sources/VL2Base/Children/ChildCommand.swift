import FoundationEssentials
import Glibc

/// A program to start, and how much memory it may take.
package struct ChildCommand: Sendable, Equatable {
  /// The program and its arguments. Without a slash in its name it is looked for in PATH.
  package var words: [String]
  /// What errors call it.
  package var name: String
  /// The most bytes of addresses for each of its processes (RLIMIT_AS); nil for no limit of our own.
  ///
  /// A shell sets it before it turns into the program, so that it holds from the first instruction on and for everything
  /// that the program starts. Set from outside, with prlimit, it would come when a child's own children may be there.
  package var memoryBytes: Int?
  /// Whether the system kills it when the thread that starts it ends, as all do where this process is killed. What it
  /// started itself meanwhile stays, until it reads or writes a pipe of ours.
  package var endsWithThread = false

  package init(_ words: [String], memoryBytes: Int? = nil) {
    self.words = words
    name = words.first ?? ""
    self.memoryBytes = memoryBytes
  }

  /// A line for the shell.
  ///
  /// - Parameter arguments: what the line has as $1, $2 and so on.
  package static func shell(
    _ line: String, arguments: [String] = [], memoryBytes: Int? = nil
  ) -> ChildCommand {
    var words = [shell, "-c", line]
    if !arguments.isEmpty { words += ["sh"] + arguments }
    var command = ChildCommand(words, memoryBytes: memoryBytes)
    command.name = "'\(line)'"
    return command
  }

  private static let shell = "/bin/sh"

  /// Whether there is such a program.
  package var isInstalled: Bool { words.first.map { Self.path(of: $0) != nil } ?? false }

  /// What is started: the path of a program, and all its words.
  ///
  /// The program is looked for here and not by the system, so that one that is missing is told by its name, also where a
  /// shell would be started first.
  ///
  /// - Throws: `ChildError.missing`.
  func resolved() throws(ChildError) -> (path: String, words: [String]) {
    guard let program = words.first, let path = Self.path(of: program) else {
      throw ChildError.missing(program: words.first ?? "")
    }
    guard let memoryBytes else { return (path, words) }
    let line = "ulimit -v \(max(1, memoryBytes >> 10)) && exec \"$@\""
    return (Self.shell, [Self.shell, "-c", line, "sh", path] + words.dropFirst())
  }

  private static func path(of program: String) -> String? {
    if program.contains("/") { return isProgram(program) ? program : nil }
    let folders = getenv("PATH").map { String(cString: $0) } ?? "/usr/local/bin:/usr/bin:/bin"
    return folders.split(separator: ":").map { "\($0)/\(program)" }.first(where: isProgram)
  }

  private static func isProgram(_ path: String) -> Bool {
    FileStatus(path)?.isFolder == false && access(path, X_OK) == 0
  }
}
