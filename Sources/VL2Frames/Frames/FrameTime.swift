import Glibc

/// When a frame was taken.
package struct FrameTime: Sendable, Equatable {
  /// Seconds since 1970.
  package var wall: Double
  /// Seconds on a clock that nobody sets; only differences mean something.
  package var steady: Double

  package init(wall: Double, steady: Double) {
    self.wall = wall
    self.steady = steady
  }

  package static var now: FrameTime { FrameTime(wall: read(CLOCK_REALTIME), steady: read(CLOCK_MONOTONIC)) }

  private static func read(_ clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// As ISO 8601 in UTC, with milliseconds: 2026-12-01T10:00:00.123Z.
  package var text: String {
    let milliseconds = Int((wall * 1000).rounded(.down))
    var seconds = milliseconds / 1000
    var date = tm()
    gmtime_r(&seconds, &date)
    func digits(_ number: Int, _ count: Int) -> String {
      let text = String(number)
      return String(repeating: "0", count: max(0, count - text.count)) + text
    }
    return digits(Int(date.tm_year) + 1900, 4) + "-" + digits(Int(date.tm_mon) + 1, 2) + "-"
      + digits(Int(date.tm_mday), 2) + "T" + digits(Int(date.tm_hour), 2) + ":" + digits(Int(date.tm_min), 2)
      + ":" + digits(Int(date.tm_sec), 2) + "." + digits(milliseconds % 1000, 3) + "Z"
  }
}
