import FoundationEssentials
import VL2Base

/// What slows a Raspberry Pi down, as its firmware says. Source: `get_throttled` of Raspberry Pi's documentation of vcgencmd.
package struct Throttling: Sendable, Equatable {
  package var bits: Int

  package init(bits: Int) { self.bits = bits }

  private static let causes: [(bit: Int, text: String)] = [
    (0, "too low a voltage"), (1, "the clock is capped"), (2, "throttled"),
    (3, "the soft limit of temperature"),
  ]

  /// What does so now.
  package var now: [String] { Self.causes.filter { bits >> $0.bit & 1 == 1 }.map(\.text) }

  /// What did so since the board was switched on.
  package var before: [String] { Self.causes.filter { bits >> ($0.bit + 16) & 1 == 1 }.map(\.text) }

  /// Whether the power supply or its cable was too weak, now or before.
  package var lacksPower: Bool { bits & 0x1_0001 != 0 }

  /// Whether it was too hot, now or before; the clock is capped for want of power, too.
  package var isHot: Bool { bits & 0x8_0008 != 0 || (bits & 0x4_0004 != 0 && !lacksPower) }

  /// In words.
  package var text: String {
    switch (now.isEmpty, before.isEmpty) {
    case (true, true): "none since the start"
    case (true, false): "none now; since the start: " + before.joined(separator: ", ")
    default: "now: " + now.joined(separator: ", ")
    }
  }

  /// Asks the kernel, else Raspberry Pi's own program: not every kernel of the Raspberry Pi 5 shows it.
  static func read(root: String, isRaspberryPi: Bool) -> Throttling? {
    let platform = root + "/sys/devices/platform"
    func names(_ folder: String) -> [String] {
      ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).sorted()
    }
    for soc in names(platform) where soc.hasPrefix("soc") {
      for device in names(platform + "/" + soc) where device.hasSuffix(":firmware") {
        let path = "\(platform)/\(soc)/\(device)/get_throttled"
        if let text = try? String(contentsOfFile: path, encoding: .utf8) {
          return Throttling(text.trimmed())
        }
      }
    }
    guard isRaspberryPi, root.isEmpty else { return nil }
    let command = ChildCommand(["vcgencmd", "get_throttled"])
    guard let output = try? ChildWork.output(command, seconds: 5, outputBytes: 1000) else { return nil }
    return Throttling(String(decoding: output, as: UTF8.self).trimmed())
  }

  /// Reads "50005", or "throttled=0x50005" as vcgencmd writes it.
  init?(_ text: String) {
    guard let number = text.split(separator: "=").last else { return nil }
    let digits = number.hasPrefix("0x") ? number.dropFirst(2) : number
    guard let bits = Int(digits, radix: 16), bits >= 0 else { return nil }
    self.bits = bits
  }
}
