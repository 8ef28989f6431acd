import Foundation

/// The result of a run of one of the package's programs.
public struct ToolRun: Sendable {
  /// The program's name.
  public var program: String
  public var status: Int32
  /// Standard output.
  public var output: String
  /// Standard error.
  public var errors: String
}

/// A program of the package, built beside the tests.
public struct Tool: Sendable {
  private let name: String
  private let program: String
  /// If programs cannot run by themselves (they were built for another processor), `VL2_TEST_LAUNCHER` holds
  /// the words of the command that runs one.
  private static let launcher =
    ProcessInfo.processInfo.environment["VL2_TEST_LAUNCHER"]?.split(separator: " ").map(String.init) ?? []

  /// Whether programs run inside an emulator, whose own memory is counted with theirs.
  public static var isEmulated: Bool { !launcher.isEmpty }

  /// - Parameter name: "vl2", or another of the package's programs.
  public init(_ name: String) {
    self.name = name
    let own =
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"))
      ?? CommandLine.arguments[0]
    program = URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent(name).path
  }

  /// Starts the program; the caller must wait for it or stop it.
  public func start(
    _ arguments: [String], input: FileHandle = .nullDevice, output: Any? = FileHandle.nullDevice,
    errors: Any? = FileHandle.nullDevice, environment: [String: String] = [:], largestFile: Int? = nil,
    script: String? = nil
  ) throws -> Process {
    var words = Self.launcher + [program] + arguments
    if let script { words = ["/bin/sh", "-c", script, "sh"] + words }
    if let largestFile {
      // POSIX counts in units of 512 bytes.
      let limit = "trap '' XFSZ; ulimit -f \(largestFile / 512); exec \"$@\""
      words = ["/bin/sh", "-c", limit, "sh"] + words
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: words[0])
    process.arguments = Array(words.dropFirst())
    // Tests must not change what programs remember about this machine.
    let cache = ["XDG_CACHE_HOME": FileManager.default.temporaryDirectory.path + "/vl2-test-cache"]
    process.environment = ProcessInfo.processInfo.environment.merging(cache) { $1 }
      .merging(environment) { $1 }
    process.standardInput = input
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    return process
  }

  /// Runs the program to its end.
  ///
  /// - Parameters:
  ///   - largestFile: bytes beyond which writing a file fails, as on a full disk.
  ///   - script: what a shell does that runs the program as `"$@"`; nil for no shell.
  public func run(
    _ arguments: [String], input: String = "", environment: [String: String] = [:], largestFile: Int? = nil,
    script: String? = nil
  ) throws -> ToolRun {
    try withTemporaryFolder { folder in
      // Files rather than pipes, so that no amount of output can block the program.
      let paths = ["in", "out", "err"].map { folder + "/" + $0 }
      for (path, text) in zip(paths, [input, "", ""]) { try write(text.utf8, to: path) }
      let files = try (
        FileHandle(forReadingFrom: URL(fileURLWithPath: paths[0])),
        FileHandle(forWritingTo: URL(fileURLWithPath: paths[1])),
        FileHandle(forWritingTo: URL(fileURLWithPath: paths[2]))
      )
      let process = try start(
        arguments, input: files.0, output: files.1, errors: files.2, environment: environment,
        largestFile: largestFile, script: script)
      process.waitUntilExit()
      let written = try paths.dropFirst().map { String(decoding: try bytes(of: $0), as: UTF8.self) }
      return ToolRun(
        program: name, status: process.terminationStatus, output: written[0], errors: written[1])
    }
  }
}
