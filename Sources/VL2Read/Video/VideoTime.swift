import VL2Base

/// A time in a video as people write it: 0:05, 12:30, 1:02:03, with tenths where there are some.
package enum VideoTime {
  /// - Parameter seconds: from the beginning.
  package static func text(_ seconds: Double) -> String {
    let tenths = Int((max(0, seconds) * 10).rounded())
    let (whole, tenth) = (tenths / 10, tenths % 10)
    func two(_ number: Int) -> String { (number < 10 ? "0" : "") + String(number) }
    let hours = whole / 3600
    let minutes = hours > 0 ? "\(hours):" + two(whole / 60 % 60) : String(whole / 60)
    return minutes + ":" + two(whole % 60) + (tenth > 0 ? ".\(tenth)" : "")
  }
}
