import FoundationEssentials
import Glibc
import VL2Base

/// Files that a conversation writes. It may write its own again; where any other is, it takes another name, because
/// nobody is there who could have been asked before.
struct TalkFiles {
  /// Paths of everything that the conversation reads.
  var inputs: [String]
  private var own: Set<FileIdentity> = []

  init(reading inputs: [String]) { self.inputs = inputs }

  /// Writes a file, whole or not at all.
  ///
  /// - Returns: its path.
  /// - Throws: `OutputError` where it cannot be written or would destroy something.
  mutating func write(_ kind: ResultKind, to path: String, _ data: () throws -> Data) throws -> String {
    let file = try place(kind, path)
    try file.write(data())
    if let identity = FileIdentity(file.path) { own.insert(identity) }
    return file.path
  }

  private func place(_ kind: ResultKind, _ path: String) throws -> OutputFile {
    let isOwn = FileIdentity(path).map(own.contains) ?? false
    if isOwn, FileIdentity.match(of: path, among: inputs) == nil { return try OutputFile(replacing: path) }
    let wanted = try OutputFile(path, kind, reading: inputs)
    return Self.isFile(path) ? try OutputFile(Self.freeName(path), kind, reading: inputs) : wanted
  }

  /// Whether there is a file that would be replaced; devices and pipes are written to.
  private static func isFile(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFREG
  }

  /// `talk-2.txt` for `talk.txt`, or with the first higher number that is free.
  private static func freeName(_ path: String) -> String {
    let folder = PathText.folder(of: path)
    let name = path.utf8.dropFirst(folder.utf8.count)
    // A name's first dot does not begin its ending: it hides the file.
    let dot =
      name.lastIndex(of: UInt8(ascii: ".")).flatMap { $0 > name.startIndex ? $0 : nil } ?? name.endIndex
    let (begin, ending) = (Substring(path.utf8[..<dot]), Substring(path.utf8[dot...]))
    var status = stat()
    let number = (2...).first { lstat("\(begin)-\($0)\(ending)", &status) != 0 } ?? 2
    return "\(begin)-\(number)\(ending)"
  }
}

extension ResultKind {
  /// What `/save` writes. Nothing in it says so, and other texts end in the same way.
  static let transcript = ResultKind("a conversation", endings: [".txt", ".md"]) { _ in false }
}
