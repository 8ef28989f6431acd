import Glibc

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
    let folder = name.isEmpty ? ownFolder : folder(ofUser: { getpwnam_r(String(name), $0, $1, $2, $3) })
    return folder.map { String(withoutSlash($0)) + path.dropFirst(1 + name.count) } ?? path
  }

  private static var ownFolder: String? {
    if let home = getenv("HOME").map({ String(cString: $0) }), home.first == "/" { return home }
    return folder(ofUser: { getpwuid_r(getuid(), $0, $1, $2, $3) })
  }

  /// Asks the system, not Foundation: Swift 6.0's has /var/empty for a user that is not there.
  private static func folder(
    ofUser find: (
      UnsafeMutablePointer<passwd>, UnsafeMutablePointer<CChar>, Int,
      UnsafeMutablePointer<UnsafeMutablePointer<passwd>?>
    ) -> Int32
  ) -> String? {
    var user = passwd()
    var found: UnsafeMutablePointer<passwd>?
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 16384) { texts in
      guard let start = texts.baseAddress, find(&user, start, texts.count, &found) == 0, found != nil else {
        return nil
      }
      return user.pw_dir.map { String(cString: $0) }
    }
  }

  private static func withoutSlash(_ folder: String) -> Substring {
    folder.last == "/" ? folder.dropLast() : folder[...]
  }
}
