import FoundationEssentials
import Glibc
import VL2Base
import VL2Console

/// The file beside a picture that holds its description: `photo.jpg.txt` for `photo.jpg`, so that pictures of one name and
/// several kinds have one each.
struct Sidecar {
  let path: String
  /// What may take the place of a file that is there; nil where nothing may.
  private let replacement: OutputFile?

  /// - Parameters:
  ///   - replaces: whether to take the place of a file that is there.
  ///   - inputs: paths of what the command reads.
  /// - Returns: nil where there is a file already, and it stays.
  /// - Throws: `OutputError` where none can be written.
  init?(beside picture: String, replaces: Bool, reading inputs: [String]) throws {
    path = picture + ".txt"
    var status = stat()
    // A link that leads nowhere is somebody's, too.
    let isThere = lstat(path, &status) == 0
    if isThere, !replaces { return nil }
    let output = try OutputFile(path, .description, reading: inputs)
    replacement = isThere ? output : nil
  }

  /// Writes a line.
  ///
  /// - Throws: `OutputError`, also where a file has come to be there meanwhile.
  func write(_ text: String) throws {
    let line = text + "\n"
    if let replacement { return try replacement.write(Data(line.utf8)) }
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw OutputError(path, errno) }
    defer { close(descriptor) }
    do throws(Descriptor.Failure) {
      try Descriptor(descriptor).write(line)
    } catch {
      unlink(path)
      throw OutputError(path, error.number)
    }
  }
}

extension ResultKind {
  fileprivate static let description = ResultKind("a description", endings: [".txt"]) { _ in false }
}
