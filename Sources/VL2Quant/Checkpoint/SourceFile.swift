/// A file that a packed file was made from, for its manifest.
public struct SourceFile: Encodable, Sendable, Equatable {
  /// Relative to the folder.
  public var name: String
  /// Whether it came from the base model's folder, as the checkpoint had none of that name.
  public var base: Bool
  /// Length in bytes.
  public var bytes: Int
  /// Lower-case hexadecimal.
  public var sha256: String

  public init(name: String, base: Bool, bytes: Int, sha256: String) {
    self.name = name
    self.base = base
    self.bytes = bytes
    self.sha256 = sha256
  }
}

extension Checkpoint {
  /// Reads every file that goes into a packed file and hashes it: config files, tokeniser, licence, weights. Those
  /// of the checkpoint's folder first, sorted by the bytes of their names.
  ///
  /// - Parameters:
  ///   - threads: files that are read at the same time.
  ///   - check: called often, on any thread; ends the work by throwing.
  ///   - progress: receives the share done, 0 to 1, and the file that was read last.
  /// - Throws: `CheckpointError` where a file cannot be read, what `check` throws.
  func sourceFiles(
    threads: Int, check: @escaping @Sendable () throws -> Void, progress: (Double, String) -> Void
  ) throws -> [SourceFile] {
    let sources = sources.sorted {
      $0.isFromBase == $1.isFromBase
        ? $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) : $1.isFromBase
    }
    let total = Double(max(1, sources.reduce(0) { $0 + $1.file.length }))
    var files: [SourceFile] = []
    var done = 0
    let work = OrderedWork(threads: threads, budget: sources.count)
    try work.run(costs: sources.map { _ in 1 }) { index in
      try sources[index].file.sha256(check)
    } finish: { index, sha256 in
      let source = sources[index]
      files.append(
        SourceFile(name: source.name, base: source.isFromBase, bytes: source.file.length, sha256: sha256))
      done += source.file.length
      progress(Double(done) / total, "hashing " + source.name)
    }
    return files
  }

  /// Throws `CheckpointError.changed` where a file is not what it was when the folder was opened.
  func checkSourcesAreUnchanged() throws {
    for source in sources where !source.file.isUnchanged {
      throw CheckpointError.changed(path: source.file.path)
    }
  }
}

extension InputFile {
  /// SHA-256 of the whole file, lower-case hexadecimal.
  fileprivate func sha256(_ check: () throws -> Void) throws -> String {
    let hash = SHA256()
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 20, alignment: 64)
    defer { piece.deallocate() }
    for offset in stride(from: 0, to: length, by: piece.count) {
      try check()
      let part = UnsafeMutableRawBufferPointer(rebasing: piece[..<min(piece.count, length - offset)])
      try read(into: part, at: offset)
      hash.append(UnsafeRawBufferPointer(part))
    }
    return hash.finish()
  }
}
