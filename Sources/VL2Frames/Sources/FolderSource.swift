import FoundationEssentials
import Glibc
import VL2Base
import VL2Run

/// A folder in which pictures appear, as `motion` and cameras that know FTP make them. Each is a frame, in the order of their
/// times; one is taken when it is whole, and again when it was written anew.
package final class FolderSource: FrameSource {
  /// What tells a file from what it was before.
  private struct Version: Equatable {
    var seconds: Int
    var nanoseconds: Int
    var bytes: Int64
  }

  private struct File {
    var name: String
    var version: Version
  }

  package let name: String
  package let isLive = false
  package let isRestartable = true
  package let framesToSettle = 1
  package private(set) var counts = FrameCounts()
  private let path: String
  private let fromStart: Bool
  /// Files that were taken, as long as they are there.
  private var taken: [String: Version] = [:]
  /// Files that are not whole, and since when they have been so.
  private var unfinished: [String: (version: Version, since: ContinuousClock.Instant)] = [:]
  private var waiting: [File] = []
  private var nextLook = ContinuousClock.now
  private var wasStarted = false

  /// - Parameter fromStart: whether the pictures that are there already are frames too; else the newest of them is.
  package init(_ path: String, fromStart: Bool = false) {
    self.path = path
    self.fromStart = fromStart
    name = path
  }

  package func start() throws {
    var files = try list()
    nextLook = .now
    defer { wasStarted = true }
    if wasStarted { return }
    if !fromStart, files.count > 1 {
      files.removeLast()
      for file in files { taken[file.name] = file.version }
    }
  }

  package func stop() { waiting = [] }

  package func next(within seconds: Double) throws -> FrameArrival {
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
      while !waiting.isEmpty {
        let file = waiting.removeFirst()
        if let frame = frame(file) { return .frame(frame) }
      }
      let left = (min(end, nextLook) - .now) / .seconds(1)
      if left > 0 { SystemThread.sleep(left) }
      guard ContinuousClock.now >= nextLook else { return .nothing }
      try look()
      if waiting.isEmpty, ContinuousClock.now >= end { return .nothing }
    }
  }

  /// How long it takes from a file's end to its being seen.
  private static let secondsBetweenLooks = 0.2
  /// How long a picture that is not whole may stay as it is before it is taken so.
  private static let secondsForMore = 10.0

  private func look() throws {
    let begin = ContinuousClock.now
    let files = try list()
    let names = Set(files.map(\.name))
    taken = taken.filter { names.contains($0.key) }
    unfinished = unfinished.filter { names.contains($0.key) }
    waiting = files.filter { taken[$0.name] != $0.version }
    // A folder of very many files costs a share of the time, not all of it.
    let now = ContinuousClock.now
    nextLook = now + max(.seconds(Self.secondsBetweenLooks), (now - begin) * 10)
  }

  /// The pictures in the folder, the oldest first.
  private func list() throws -> [File] {
    let names: [String]
    do throws(Descriptor.Failure) {
      names = try FolderNames.read(path)
    } catch {
      if [ENOENT, ENOTDIR].contains(error.number) { throw SourceError.noFolder(path: path) }
      throw SourceError.unreadable(
        source: path, reason: String(cString: strerror(error.number)).lowercased())
    }
    var files: [File] = []
    for name in names {
      let lower = name.lowercased()
      // Programs give a name that begins with a dot to what they have not finished.
      guard !name.hasPrefix("."), Picture.fileEndings.contains(where: lower.hasSuffix) else { continue }
      var status = stat()
      guard stat("\(path)/\(name)", &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size > 0
      else { continue }
      let version = Version(
        seconds: status.st_mtim.tv_sec, nanoseconds: status.st_mtim.tv_nsec, bytes: Int64(status.st_size))
      files.append(File(name: name, version: version))
    }
    return files.sorted { one, other in
      let (a, b) = (one.version, other.version)
      return (a.seconds, a.nanoseconds, one.name) < (b.seconds, b.nanoseconds, other.name)
    }
  }

  /// nil for a file that is gone, or not whole yet.
  private func frame(_ file: File) -> Frame? {
    guard let bytes = bytes(of: "\(path)/\(file.name)") else { return nil }
    if !Self.isWhole(bytes) {
      let now = ContinuousClock.now
      let known = unfinished[file.name].flatMap { $0.version == file.version ? $0.since : nil } ?? now
      unfinished[file.name] = (file.version, known)
      guard now - known > .seconds(Self.secondsForMore) else { return nil }
    }
    unfinished[file.name] = nil
    taken[file.name] = file.version
    let time = Double(file.version.seconds) + Double(file.version.nanoseconds) / 1e9
    // The times of files are those of the pictures, also where many are looked at one after the other.
    return Frame(.encoded(bytes), name: file.name, time: FrameTime(wall: time, steady: time))
  }

  private static let mostBytes = 256 << 20

  private func bytes(of path: String) -> [UInt8]? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    return try? Descriptor(descriptor).bytes(atMost: Self.mostBytes)
  }

  /// Whether a picture's end is there.
  private static func isWhole(_ bytes: [UInt8]) -> Bool {
    switch FileKind(bytes) {
    case .jpeg:
      // Programs add padding behind the end marker.
      let end = bytes.suffix(4096)
      return zip(end, end.dropFirst()).contains { $0 == 0xFF && $1 == 0xD9 }
    case .png: return bytes.suffix(8).starts(with: "IEND".utf8)
    case .webp:
      let size = (4..<8).reversed().reduce(0) { $0 << 8 | Int(bytes[$1]) }
      return bytes.count >= size + 8
    default: return false
    }
  }
}
