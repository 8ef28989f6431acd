import VL2Base

/// How programs are run for a file: how long they may take, and who may stop them.
package struct FilePrograms: Sendable {
  /// The most seconds for one run, or until something comes.
  package var seconds: Double
  /// Throws where the work is to stop. Called several times a second.
  package var check: @Sendable () throws -> Void

  package init(seconds: Double, check: @escaping @Sendable () throws -> Void = {}) {
    self.seconds = seconds
    self.check = check
  }

  /// The most bytes of addresses: far more than a page or a film takes.
  static let memoryBytes = 4 << 30

  /// What a program writes to standard output. It ends with this call, whatever happens.
  ///
  /// - Parameters:
  ///   - words: the program and its arguments.
  ///   - package: the Debian package that has it.
  ///   - path: the file that it reads.
  ///   - bytes: the most that it may write.
  /// - Throws: `ReadError`, and what `check` throws.
  func output(_ words: [String], package: String, of path: String, atMost bytes: Int) throws -> [UInt8] {
    do {
      var work = try ChildWork(
        ChildCommand(words, memoryBytes: Self.memoryBytes), seconds: seconds, outputBytes: bytes)
      while true {
        try check()
        if let output = try work.step(within: 0.2) { return output }
      }
    } catch let error as ChildError {
      throw ReadError(error, path: path, package: package)
    }
  }

  /// A path that no program takes for an option.
  static func word(_ path: String) -> String { path.hasPrefix("/") ? path : "./" + path }
}

extension ReadError {
  /// Says of a file what a program did that was run for it.
  init(_ error: ChildError, path: String, package: String) {
    switch error {
    case .missing(let program): self = .programMissing(program: program, package: package)
    case .failed(let program, let end, let lastLine):
      self = .refused(path: path, program: program, reason: lastLine.isEmpty ? "it \(end)" : lastLine)
    case .notStarted(let program, let reason):
      self = .stalled(path: path, program: program, reason: "cannot be started: \(reason)")
    case .tooLong(let program, let seconds):
      self = .stalled(
        path: path, program: program,
        reason: "took more than \(NumberText.general(seconds)) s and was ended")
    case .tooMuch(let program, let bytes):
      self = .stalled(path: path, program: program, reason: "wrote more than \(bytes) bytes and was ended")
    }
  }
}
