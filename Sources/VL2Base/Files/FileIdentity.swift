import Glibc

/// The file that a path leads to, however the path is written and whatever links lead there. Of a file that is not there
/// yet: its name in the folder where it would be.
package struct FileIdentity: Hashable, Sendable {
  private let device: UInt64
  private let inode: UInt64
  /// nil for a file that is there.
  private let name: String?

  /// nil where not even the folder is there.
  package init?(_ path: String) {
    var status = stat()
    var missing: String?
    if stat(path, &status) != 0 {
      guard let place = Self.placeToBe(path), stat(place.folder, &status) == 0,
        status.st_mode & S_IFMT == S_IFDIR
      else { return nil }
      missing = place.name
    }
    device = UInt64(status.st_dev)
    inode = UInt64(status.st_ino)
    name = missing
  }

  /// Where writing to a path that leads nowhere would make a file: at the end of its links, if it is one.
  private static func placeToBe(_ path: String) -> (folder: String, name: String)? {
    var path = path
    // As many links as Linux follows.
    for _ in 0..<40 {
      let folder = PathText.folder(of: path)
      guard let target = linkTarget(path) else {
        let name = Substring(path.utf8.dropFirst(folder.utf8.count)).filter { $0 != "/" }
        return (folder.isEmpty ? "." : folder, name)
      }
      path = target.hasPrefix("/") || folder.isEmpty ? target : folder + "/" + target
    }
    return nil
  }

  /// nil for what is no link.
  private static func linkTarget(_ path: String) -> String? {
    var count = 0
    let bytes = [CChar](unsafeUninitializedCapacity: Int(PATH_MAX)) { buffer, initialized in
      count = buffer.baseAddress.map { readlink(path, $0, buffer.count) } ?? 0
      initialized = max(0, count)
    }
    return count > 0 ? String(decoding: bytes.map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
  }

  /// The first of some paths that leads to the same file as this one.
  package static func match(of path: String, among others: [String]) -> String? {
    guard let identity = FileIdentity(path) else { return nil }
    return others.first { FileIdentity($0) == identity }
  }
}
