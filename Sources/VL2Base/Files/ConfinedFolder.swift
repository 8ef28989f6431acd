import Glibc

/// A folder whose files are opened by names from elsewhere. Nothing outside it is opened, whatever a name says.
///
/// A name is walked part by part, each opened in the folder before it, and no link is followed: so neither `..` nor a link
/// leads out, also where somebody moves things meanwhile, and that holds on every kernel (openat2 would need Linux 5.6).
/// The folder's own path may have links in it.
package final class ConfinedFolder: Sendable {
  /// As it was given.
  package let path: String
  private let descriptor: Int32

  /// - Throws: `InputError` where there is no folder that can be read.
  package init(path: String) throws {
    let opened = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    // Before there is anything to let go of: `deinit` may run before `errno` is read, and change it.
    guard opened >= 0 else {
      let reason =
        errno == ENOENT || errno == ENOTDIR
        ? SystemReason("no such folder", "check the path", kind: .noInput) : SystemReason.reading(errno)
      throw InputError.unreadable(path: path, reason: reason)
    }
    self.path = path
    descriptor = opened
  }

  deinit { close(descriptor) }

  /// Opens a regular file.
  ///
  /// - Parameter name: relative to the folder, or absolute and below the folder's path as it was given. Errors call the file
  ///   so.
  /// - Throws: `InputError`.
  package func file(_ name: String) throws -> InputFile {
    var parts = try parts(of: name)
    guard let last = parts.popLast() else { throw refusal(name, "it names no file") }
    var place = descriptor
    defer { if place != descriptor { close(place) } }
    for part in parts {
      try check(part, in: place, S_IFDIR, "its path leads through what is no folder", name)
      let next = openat(place, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)
      guard next >= 0 else { throw failure(name) }
      if place != descriptor { close(place) }
      place = next
    }
    // Looked at before it is opened: opening a device may do something.
    try check(last, in: place, S_IFREG, "it is no regular file", name)
    let file = openat(place, last, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { throw failure(name) }
    return try InputFile(path: name, opened: file)
  }

  private func parts(of name: String) throws -> [String] {
    var rest = name[...]
    if name.first == "/" {
      let own = path.last == "/" ? path : path + "/"
      guard name.hasPrefix(own) else { throw refusal(name, "it is outside \(path)") }
      rest = name.dropFirst(own.count)
    }
    // A name with a zero byte would be read up to it.
    guard !name.utf8.contains(0) else { throw refusal(name, "it is no path") }
    let parts = rest.split(separator: "/").map(String.init).filter { $0 != "." }
    guard !parts.contains("..") else { throw refusal(name, "its path goes up with '..'") }
    return parts
  }

  private func check(_ part: String, in place: Int32, _ kind: mode_t, _ problem: String, _ name: String)
    throws
  {
    var status = stat()
    guard fstatat(place, part, &status, AT_SYMLINK_NOFOLLOW) == 0 else { throw failure(name) }
    switch status.st_mode & S_IFMT {
    case kind: return
    case S_IFLNK: throw refusal(name, "a link is in its path, and none is followed")
    default: throw refusal(name, problem)
    }
  }

  private func refusal(_ name: String, _ problem: String) -> InputError {
    .unreadable(
      path: name, reason: SystemReason(problem, "name a file below \(path)", kind: .noInput))
  }

  private func failure(_ name: String) -> InputError {
    errno == ENOENT || errno == ENOTDIR
      ? .missing(path: name) : .unreadable(path: name, reason: SystemReason.reading(errno))
  }
}
