import FoundationEssentials

/// Paths as text.
package enum PathText {
  /// What stands before a path's last part: `a` for `a/b`, `/` for `/b`, and nothing for `b`.
  package static func folder(of path: String) -> String {
    let whole = path.utf8.count > 1 && path.last == "/" ? path.dropLast() : path[...]
    guard let slash = whole.lastIndex(of: "/") else { return "" }
    return slash == whole.startIndex ? "/" : String(whole[..<slash])
  }

  /// With the folder of a user in place of `~` or `~name` at the beginning, where there is such a user.
  package static func expandingHome(_ path: String) -> String {
    guard path.first == "~" else { return path }
    let name = path.dropFirst().prefix { $0 != "/" }
    let files = FileManager.default
    let folder = name.isEmpty ? files.homeDirectoryForCurrentUser : files.homeDirectory(forUser: String(name))
    return folder.map { String(withoutSlash($0.path)) + path.dropFirst(1 + name.count) } ?? path
  }

  private static func withoutSlash(_ folder: String) -> Substring {
    folder.last == "/" ? folder.dropLast() : folder[...]
  }
}
