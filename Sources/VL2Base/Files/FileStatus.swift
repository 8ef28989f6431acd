import Glibc

/// What the system says about a file or a folder; of a link, about what it points to.
package struct FileStatus: Sendable, Equatable {
  package let bytes: Int
  package let isFolder: Bool

  /// nil where there is nothing at this path.
  package init?(_ path: String) {
    var status = stat()
    guard stat(path, &status) == 0 else { return nil }
    bytes = Int(status.st_size)
    isFolder = status.st_mode & S_IFMT == S_IFDIR
  }
}
