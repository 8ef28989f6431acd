import VL2Base

/// Reads the files of a checkpoint other than the weights: from its folder, or from the base model's folder
/// if the first lacks one. Remembers which files it read.
final class SourceTexts {
  private let folders: [String]
  private(set) var sources: [Checkpoint.Source] = []

  init(folder: String, base: String?) { folders = [folder] + (base.map { [$0] } ?? []) }

  /// The bytes of a file; nil if it is missing and not `required`.
  ///
  /// - Throws: `CheckpointError`, `InputError`.
  func bytes(_ name: String, atMost limit: Int, required: Bool) throws -> [UInt8]? {
    for (index, folder) in folders.enumerated() {
      do {
        let file = try InputFile(path: folder + "/" + name)
        sources.append(.init(name: name, isFromBase: index > 0, file: file))
        return try Self.bytes(of: file, atMost: limit, expected: .json)
      } catch InputError.missing {
        continue
      }
    }
    if required { throw CheckpointError.missingFile(path: folders[folders.count - 1] + "/" + name) }
    return nil
  }

  /// The same, as text.
  func text(_ name: String, atMost limit: Int, required: Bool) throws -> String? {
    guard let bytes = try bytes(name, atMost: limit, required: required) else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CheckpointError.malformed(path: sources.last?.file.path ?? name, problem: "not valid UTF-8")
    }
    return text
  }

  /// LICENSE, LICENSE.txt, LICENSE-MODEL and similar files of the first folder that has any. Several are
  /// joined one after another.
  func license(atMost limit: Int) throws -> String? {
    for (index, folder) in folders.enumerated() {
      // A licence that is there must not be left out because the folder cannot be listed.
      let names = try CheckpointFolder.names(in: folder)
      let files = try names.filter { $0.uppercased().hasPrefix("LICENSE") }.filter { name in
        FileStatus(folder + "/" + name)?.isFolder == false
      }.map {
        Checkpoint.Source(name: $0, isFromBase: index > 0, file: try InputFile(path: folder + "/" + $0))
      }
      if files.isEmpty { continue }
      sources += files
      return try files.map {
        String(decoding: try Self.bytes(of: $0.file, atMost: limit, expected: nil), as: UTF8.self)
      }
      .joined(separator: "\n")
    }
    return nil
  }

  /// All bytes of a file. One that is longer than `limit` or of another kind than `expected` is refused.
  static func bytes(of file: InputFile, atMost limit: Int, expected: FileKind?) throws -> [UInt8] {
    guard file.length <= limit else {
      throw CheckpointError.malformed(
        path: file.path, problem: "\(file.length) bytes are too long, at most \(limit) are read")
    }
    let bytes = try file.bytes(0..<file.length)
    try ForeignSourceError.refuse(bytes, of: file.path, expected: expected)
    return bytes
  }
}
