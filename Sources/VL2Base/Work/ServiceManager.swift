import Glibc

/// The service manager that started this process and wants to know how it is: systemd, with `Type=notify`.
///
/// Source: sd_notify(3): a datagram to the socket that `NOTIFY_SOCKET` names; one that begins with @ is in the abstract
/// namespace.
package struct ServiceManager: Sendable {
  private let path: String
  /// Made at the beginning: a sign of life must go out where no descriptor is left, too.
  private let descriptor: Int32
  /// Seconds within which it wants a sign of life; nil where it wants none.
  package let watchdogSeconds: Double?

  /// nil where there is none. Once in a process: the socket stays open.
  package init?() {
    guard let path = Self.variable("NOTIFY_SOCKET"), path.first == "/" || path.first == "@",
      path.utf8.count < 108
    else { return nil }
    self.path = path
    descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    let isMeant = Self.variable("WATCHDOG_PID").map { $0 == "\(getpid())" } ?? true
    let microseconds = isMeant ? Self.variable("WATCHDOG_USEC").flatMap(Double.init) : nil
    watchdogSeconds = microseconds.map { $0 / 1e6 }
  }

  private static func variable(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }

  package func isReady() { tell("READY=1") }

  package func isStopping() { tell("STOPPING=1") }

  package func isAlive() { tell("WATCHDOG=1") }

  /// Nobody can be told where it fails, and the work goes on without.
  private func tell(_ message: String) {
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    let bytes = Array(path.utf8)
    withUnsafeMutableBytes(of: &address.sun_path) { place in
      place.copyBytes(from: bytes)
      if path.first == "@" { place[0] = 0 }
    }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)
    let text = Array(message.utf8)
    withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = sendto(descriptor, text, text.count, Int32(MSG_NOSIGNAL), $0, length)
      }
    }
  }
}
