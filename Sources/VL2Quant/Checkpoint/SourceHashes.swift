import VL2Base

extension Checkpoint {
  /// Bytes that are read at a time, and bytes that may be read ahead.
  private static let piece = 4 << 20
  private static let readAhead = 32 << 20

  /// Reads every file that goes into a packed file and hashes it: config files, tokeniser, licence, weights.
  /// The files of the checkpoint's folder come first, sorted by the bytes of their names.
  ///
  /// - Parameters:
  ///   - threads: threads that read ahead.
  ///   - check: called often, on any thread. Throwing from it cancels the work.
  ///   - progress: receives the share done, 0 to 1, and what is being read.
  /// - Throws: `InputError` if a file cannot be read, and what `check` throws.
  func sourceFiles(
    threads: Int, check: @escaping @Sendable () throws -> Void, progress: (Double, String) -> Void
  ) throws -> [SourceFile] {
    let sources = sources.sorted {
      $0.isFromBase == $1.isFromBase
        ? $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) : $1.isFromBase
    }
    let pieces = sources.indices.flatMap { index in
      let length = sources[index].file.length
      return stride(from: 0, to: length, by: Self.piece).map {
        (source: index, range: $0..<min(length, $0 + Self.piece))
      }
    }
    let total = Double(max(1, pieces.reduce(0) { $0 + $1.range.count }))
    let hashes = sources.map { _ in SHA256() }
    var done = 0
    let work = OrderedWork(threads: threads, budget: Self.readAhead)
    try work.run(costs: pieces.map(\.range.count)) { index in
      try check()
      return try sources[pieces[index].source].file.bytes(pieces[index].range)
    } finish: { index, bytes in
      let source = pieces[index].source
      bytes.withUnsafeBytes { hashes[source].append($0) }
      done += bytes.count
      progress(Double(done) / total, "hashing " + sources[source].name)
    }
    return zip(sources, hashes).map { source, hash in
      SourceFile(
        name: source.name, base: source.isFromBase, bytes: source.file.length, sha256: hash.finish())
    }
  }

  /// Checks that no file has changed since the folder was opened.
  ///
  /// - Throws: `CheckpointError.changed`.
  func checkSourcesAreUnchanged() throws {
    for source in sources where !source.file.isUnchanged {
      throw CheckpointError.changed(path: source.file.path)
    }
  }
}
