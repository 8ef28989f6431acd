import Glibc

/// How many files, connections and pipes this process may have open at a time.
package struct DescriptorLimit: Sendable, Equatable {
  package var limit: Int
  package var open: Int

  /// Takes as many as the system lets this process have: what a shell hands on is often less.
  package static func raise() -> DescriptorLimit {
    var limit = current
    limit.rlim_cur = limit.rlim_max
    setrlimit(resource, &limit)
    return read()
  }

  /// As it is now.
  package static func read() -> DescriptorLimit {
    let limit = current
    let most = Int(clamping: limit.rlim_cur)
    // Looking into /proc takes a descriptor itself, and there may be none left.
    let open = (0..<Int32(clamping: min(most, 4096))).count { fcntl($0, F_GETFD) >= 0 }
    return DescriptorLimit(limit: most, open: open)
  }

  /// Looks whether any work can be done, before anything is asynchronous: libdispatch ends the process where it finds no
  /// descriptor to look into /proc with.
  ///
  /// - Throws: `FileError` where there are fewer than `count` left, and the system allows no more.
  package static func checkRoom(for count: Int) throws {
    var found = read()
    if found.limit - found.open < count { found = raise() }
    guard found.limit - found.open < count else { return }
    let reason = SystemReason.reading(EMFILE)
    throw FileError(reason.kind, "/proc", "cannot be read: \(reason.problem)", reason.hint)
  }

  private static var resource: __rlimit_resource_t { __rlimit_resource_t(RLIMIT_NOFILE.rawValue) }

  private static var current: rlimit {
    var limit = rlimit()
    getrlimit(resource, &limit)
    return limit
  }

  package static let hint: Hint =
    "allow more open files (a shell: ulimit -n; systemd: LimitNOFILE=)"
}

/// This process may have no more files, connections or pipes open.
package struct DescriptorError: ReportableError, Equatable {
  /// The most that it may have.
  package var limit: Int

  package init(limit: Int) { self.limit = limit }

  package var kind: ErrorKind { .unavailable }
  package var problem: String {
    "this program may have \(limit) files and connections open, which is too few"
  }
  package var hint: Hint { DescriptorLimit.hint }
}
