import VL2Base

/// A file with a key on each line; lines that begin with # and empty ones do not count.
package enum KeyFile {
  /// - Throws: `InputError` where it cannot be read, `FileError` where it has no key, or one that no request can carry.
  package static func keys(at path: String) throws -> [String] {
    let file = try InputFile(path: path)
    guard file.length <= 1 << 20 else {
      throw FileError(.badData, path, "over 1 MiB, which no list of keys is", "give the file with the keys")
    }
    guard let text = String(validating: try file.bytes(0..<file.length), as: UTF8.self) else {
      throw FileError(.badData, path, "not valid UTF-8", "write a key on each line")
    }
    var keys: [String] = []
    for (number, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
      .enumerated()
    {
      let key = String(line).trimmingSpace
      if key.isEmpty || key.first == "#" { continue }
      guard key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
        throw FileError(
          .badData, path, line: number + 1, "a key has a blank or a character that is not ASCII",
          "use letters, digits and signs")
      }
      keys.append(key)
    }
    guard !keys.isEmpty else { throw FileError(.badData, path, "no key in it", "write one on each line") }
    return keys
  }
}
