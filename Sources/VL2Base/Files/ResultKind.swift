import Glibc

/// A kind of file that commands write, and the rule that keeps a result from destroying something: it never takes the
/// place of what the command reads, and of another file only where the name's ending says that it is of this kind or
/// the file is.
package struct ResultKind: Sendable {
  /// What it is called in messages, with its article: `a packed model`.
  package var name: String
  /// Endings of names of such files, the usual one first.
  package var endings: [String]
  /// Whether other programs' files have these endings too, so that an ending says nothing of a file that is there.
  package var sharesEndings: Bool
  /// Whether a file that begins with these bytes, up to 64 KiB, is of this kind.
  package var isBegin: @Sendable ([UInt8]) -> Bool

  package init(
    _ name: String, endings: [String], sharesEndings: Bool = false,
    isBegin: @escaping @Sendable ([UInt8]) -> Bool
  ) {
    self.name = name
    self.endings = endings
    self.sharesEndings = sharesEndings
    self.isBegin = isBegin
  }

  /// Endings by which files of some kind are known. A new result of another kind gets no such name either: with
  /// `-o model.safetensors` something else was meant.
  private static let knownEndings = [
    ".vl2q", ".safetensors", ".gguf", ".jpg", ".jpeg", ".png", ".webp", ".svg", ".json", ".jsonl",
  ]

  /// Refuses a place where a result of this kind would destroy something. Devices and pipes are written to, not replaced;
  /// of these only those that are read are refused.
  ///
  /// - Parameter inputs: the paths of everything that the command reads.
  /// - Throws: `OutputError`, of the kind `usage`.
  package func check(_ path: String, reading inputs: [String]) throws {
    func refuse(_ problem: String, _ hint: Hint) -> OutputError {
      OutputError(path: path, reason: SystemReason(problem, hint, kind: .usage))
    }
    if let input = FileIdentity.match(of: path, among: inputs) {
      throw refuse(
        input == path ? "this command reads it" : "this command reads it as \(input)",
        "give another path")
    }
    var status = stat()
    let isThere = stat(path, &status) == 0
    if isThere, status.st_mode & S_IFMT != S_IFREG { return }
    let lowercased = path.lowercased()
    let known = (endings + Self.knownEndings).first { lowercased.hasSuffix($0) }
    let usual = endings.first.map { "give a name that ends in \($0)" } ?? "give another name"
    if let known, !endings.contains(known) {
      throw refuse("the result is \(name), and \(known) is the ending of something else", "\(usual)")
    }
    guard isThere, status.st_size > 0, known == nil || sharesEndings else { return }
    if !isBegin(Self.begin(of: path)) {
      throw refuse("it is there, and is not \(name)", sharesEndings ? "give another path" : "\(usual)")
    }
  }

  private static func begin(of path: String) -> [UInt8] {
    // O_NONBLOCK, because a pipe may have taken the file's place.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    return (try? Descriptor(descriptor).bytes(atMost: 64 << 10)) ?? []
  }
}
