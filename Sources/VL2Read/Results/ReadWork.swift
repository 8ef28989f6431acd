import VL2Base

/// What is read and how: work can go on where both are the same.
package struct ReadWork: Sendable, Equatable {
  /// A file with its size and the SHA-256 of its content.
  package struct Input: Sendable, Equatable {
    package var path: String
    package var bytes: Int
    package var digest: String

    /// - Parameter check: throws where the work is to stop.
    /// - Throws: `InputError`, and what `check` throws.
    package init(_ path: String, check: () throws -> Void = {}) throws {
      let file = try InputFile(path: path)
      let hash = SHA256()
      var offset = 0
      while offset < file.length {
        try check()
        let piece = try file.bytes(offset..<min(offset + 4 << 20, file.length))
        piece.withUnsafeBytes { hash.append($0) }
        offset += piece.count
      }
      self.path = path
      bytes = file.length
      digest = hash.finish()
    }
  }

  package var inputs: [Input]
  /// Everything else that the result depends on.
  package var settings: [String]

  package init(inputs: [Input], settings: [String]) {
    self.inputs = inputs
    self.settings = settings
  }

  /// As the first line of a journal.
  var json: JSONValue {
    [
      "vl2_read": 1,
      "inputs": .array(
        inputs.map { ["path": .text($0.path), "bytes": .integer($0.bytes), "sha256": .text($0.digest)] }),
      "settings": .array(settings.map { .text($0) }),
    ]
  }

  /// What differs from other work; nil for nothing. The path by which a file is named does not count.
  func difference(from other: JSONValue) -> String? {
    guard other.member("vl2_read") == 1 else { return "version of vl2" }
    guard case .array(let files)? = other.member("inputs"), files.count == inputs.count,
      zip(files, inputs).allSatisfy({
        $0.member("sha256") == .text($1.digest) && $0.member("bytes") == .integer($1.bytes)
      })
    else { return "files" }
    return other.member("settings") == .array(settings.map { .text($0) }) ? nil : "options"
  }
}
