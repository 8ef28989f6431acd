import VL2Base

extension Checkpoint {
  /// The files of a packed file's source that are no shards (config files, tokeniser, licence), hashed.
  ///
  /// - Throws: `InputError` if a file cannot be read.
  func textFiles() throws -> [SourceFile] { try texts.map { try Self.sourceFile($0, bytes: $0.file.length) } }

  /// The shards by their names and lengths, and with the hash of their headers, which say what is where in them.
  ///
  /// - Throws: `InputError` if a file cannot be read.
  func shardHeads() throws -> [SourceFile] {
    try shards.map { shard in
      var head = try Self.sourceFile(shard.source, bytes: shard.headerLength)
      head.bytes = shard.source.file.length
      return head
    }
  }

  /// A file with the hash of its first bytes.
  private static func sourceFile(_ source: Source, bytes: Int) throws -> SourceFile {
    let hash = try source.file.bytes(0..<bytes).withUnsafeBytes { sha256Hexadecimal($0) }
    return SourceFile(name: source.name, base: source.isFromBase, bytes: bytes, sha256: hash)
  }

  /// Files as a packed file lists them: those of the checkpoint's folder first, sorted by the bytes of their names.
  static func inOrder(_ files: [SourceFile]) -> [SourceFile] {
    files.sorted {
      $0.base == $1.base ? $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) : $1.base
    }
  }

  /// Checks that no file has changed since the folder was opened.
  ///
  /// - Throws: `CheckpointError.changed`.
  func checkSourcesAreUnchanged() throws {
    for source in texts + shards.map(\.source) where !source.file.isUnchanged {
      throw CheckpointError.changed(path: source.file.path)
    }
  }
}
