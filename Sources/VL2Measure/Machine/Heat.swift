import FoundationEssentials
import VL2Base

/// How warm a computer is, and how fast its processors are allowed to be for that.
package struct Heat: Sendable, Equatable {
  /// The temperature of the hottest place, in degrees Celsius; nil without a sensor.
  package var temperature: Double?
  /// The highest clock of the fast cores now, as the system set it, in MHz. A board's firmware may hold it lower.
  package var clock: Int?
  /// Whether the system itself holds the clock down now because it is hot.
  package var isHeldBack = false

  package init(temperature: Double? = nil, clock: Int? = nil, isHeldBack: Bool = false) {
    (self.temperature, self.clock, self.isHeldBack) = (temperature, clock, isHeldBack)
  }

  /// Reads `/sys`, or a copy of it below `root`.
  ///
  /// - Parameter processors: those whose clock counts.
  package init(root: String, processors: [Int]) {
    func text(_ path: String) -> String? {
      FileManager.default.contents(atPath: root + path).map { String(decoding: $0, as: UTF8.self).trimmed() }
    }
    func number(_ path: String) -> Int? { text(path).flatMap { Int($0) } }
    let places = ((try? FileManager.default.contentsOfDirectory(atPath: root + "/sys/class/thermal")) ?? [])
    let zones = places.filter { $0.hasPrefix("thermal_zone") }
    temperature = zones.compactMap { number("/sys/class/thermal/\($0)/temp") }.max().map { Double($0) / 1000 }
    clock =
      processors.compactMap { number("/sys/devices/system/cpu/cpu\($0)/cpufreq/scaling_cur_freq") }.max()
      .map { $0 / 1000 }
    // Devices that cool by lowering the clock of processors; their state is 0 where they do not.
    isHeldBack = places.contains { name in
      guard name.hasPrefix("cooling_device"), let kind = text("/sys/class/thermal/\(name)/type") else {
        return false
      }
      return kind.contains("cpufreq") && (number("/sys/class/thermal/\(name)/cur_state") ?? 0) > 0
    }
  }
}

/// How warm a computer is while it works: looked at again and again on a thread of its own, until `end`.
package final class HeatRecord: Sendable {
  private struct State {
    var looks: [Heat] = []
    var isOver = false
  }

  /// The most looks that are kept; they are enough for an hour.
  private static let most = 4000

  private let state = Monitor(State())

  /// - Parameters:
  ///   - seconds: between two looks.
  ///   - look: called on the thread.
  package init(every seconds: Double = 1, look: @escaping @Sendable () -> Heat) {
    let state = state
    // Where there is no thread, nothing is known.
    try? SystemThread.start("vl2-heat", stackBytes: 1 << 18) {
      while true {
        let now = look()
        let isOver = state.change { state in
          if !state.isOver, state.looks.count < Self.most { state.looks.append(now) }
          return state.isOver
        }
        if isOver { return }
        SystemThread.sleep(seconds)
      }
    }
  }

  /// Ends looking.
  package func end() { state.change { $0.isOver = true } }

  package var looks: [Heat] { state.withLock { $0.looks } }
}
