import Glibc
import VL2Base
import VL2Frames
import VL2Run

/// Keeps pictures of frames that were answered in a folder, bounded in bytes and age. What it removes there are files with
/// names as it gives them, and nothing else.
package final class FrameKeeper {
  private let keeping: FrameKeeping
  private var nextTidying = 0.0

  package init(_ keeping: FrameKeeping) { self.keeping = keeping }

  private static let quality = 85
  private static let secondsBetweenTidyings = 60.0
  /// No file takes longer to be written: what is older was left behind.
  private static let secondsToWrite = 60.0
  private static let unfinished = ".part"

  /// Makes the folder where it is missing, and removes what is too much of earlier runs.
  ///
  /// - Parameter camera: a folder whose pictures are frames, or another camera.
  /// - Throws: `OutputError`; `FileError` where what is kept would be frames.
  package func start(camera: String) throws {
    // Frames show people: they are for this user alone.
    guard mkdir(keeping.folder, 0o700) == 0 || errno == EEXIST, access(keeping.folder, W_OK | X_OK) == 0
    else {
      throw OutputError(keeping.folder, errno)
    }
    guard FileIdentity.match(of: keeping.folder, among: [camera]) == nil else {
      throw FileError(
        .usage, keeping.folder, "frames would be kept in the folder that they come from",
        "give another folder")
    }
    try tidy(roomFor: 0)
  }

  /// Writes a picture, whole or not at all, after making room for it.
  ///
  /// - Parameters:
  ///   - question: tells questions with similar names apart.
  /// - Throws: `OutputError`, `PictureError`.
  package func keep(_ picture: Picture, at time: FrameTime, question: Int, name: String) throws {
    let path = keeping.folder + "/" + Self.name(time, question, name)
    let bytes = try picture.jpegData(quality: Self.quality, name: path)
    guard bytes.count <= keeping.bytes else { throw OutputError(path, EFBIG) }
    try tidy(roomFor: bytes.count)
    let temporary = path + Self.unfinished
    let descriptor = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else { throw OutputError(path, errno) }
    defer { close(descriptor) }
    do {
      try write(bytes, to: descriptor, of: path)
      guard rename(temporary, path) == 0 else { throw OutputError(path, errno) }
    } catch {
      unlink(temporary)
      throw error
    }
  }

  private func write(_ bytes: [UInt8], to descriptor: Int32, of path: String) throws(OutputError) {
    do throws(Descriptor.Failure) {
      try bytes.withUnsafeBytes { bytes in
        Result { () throws(Descriptor.Failure) in try Descriptor(descriptor).write(bytes) }
      }.get()
    } catch {
      throw OutputError(path, error.number)
    }
  }

  /// Removes what has become too old, once a minute. What cannot be removed is told when the next one is kept.
  package func tidyNowAndThen() {
    let now = FrameTime.now.steady
    guard now >= nextTidying else { return }
    nextTidying = now + Self.secondsBetweenTidyings
    try? tidy(roomFor: 0)
  }

  private struct File {
    var name: String
    var bytes: Int
    /// Seconds since 1970.
    var written: Double
  }

  /// Removes what is too old, and the oldest until there is room for so many bytes more.
  private func tidy(roomFor bytes: Int) throws {
    var files = try list()
    let now = FrameTime.now.wall
    var total = files.reduce(bytes) { $0 + $1.bytes }
    files.sort { ($0.written, $0.name) < ($1.written, $1.name) }
    for file in files {
      let age = now - file.written
      let isLeft = file.name.hasSuffix(Self.unfinished) && age > Self.secondsToWrite
      guard total > keeping.bytes || age > keeping.age || isLeft else { continue }
      let path = keeping.folder + "/" + file.name
      guard unlink(path) == 0 || errno == ENOENT else { throw OutputError(path, errno) }
      total -= file.bytes
    }
  }

  /// The files of ours.
  private func list() throws -> [File] {
    let names: [String]
    do throws(Descriptor.Failure) {
      names = try FolderNames.read(keeping.folder)
    } catch {
      throw OutputError(keeping.folder, error.number)
    }
    var files: [File] = []
    for name in names {
      var status = stat()
      guard Self.isOwn(name), lstat("\(keeping.folder)/\(name)", &status) == 0,
        status.st_mode & S_IFMT == S_IFREG
      else { continue }
      let written = Double(status.st_mtim.tv_sec) + Double(status.st_mtim.tv_nsec) / 1e9
      files.append(File(name: name, bytes: Int(status.st_size), written: written))
    }
    return files
  }

  /// For example vl2-20261201T100000.500Z-1-gate.jpg: the frame's time, which question, and its name.
  static func name(_ time: FrameTime, _ question: Int, _ name: String) -> String {
    let moment = time.text.filter { $0 != "-" && $0 != ":" }
    let word = name.unicodeScalars.prefix(40).map { isWord($0) ? Character($0) : "_" }
    return "vl2-\(moment)-\(question + 1)-\(String(word)).jpg"
  }

  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "0"..."9", "a"..."z", "A"..."Z", "_", "-": true
    default: false
    }
  }

  /// Whether a file has a name as `name` gives it, or one of a file that is being written.
  static func isOwn(_ name: String) -> Bool {
    var rest = name[...]
    func take(_ text: String) -> Bool {
      guard rest.hasPrefix(text) else { return false }
      rest = rest.dropFirst(text.count)
      return true
    }
    func takeDigits() -> Bool {
      let digits = rest.prefix { $0.isASCII && $0.isNumber }
      rest = rest.dropFirst(digits.count)
      return !digits.isEmpty
    }
    guard take("vl2-"), takeDigits(), take("T"), takeDigits(), take("."), takeDigits(), take("Z-"),
      takeDigits(), take("-")
    else { return false }
    let word = rest.unicodeScalars.prefix(while: isWord)
    rest = rest[word.endIndex...]
    return (1...40).contains(word.count) && [".jpg", ".jpg" + unfinished].contains(String(rest))
  }
}
