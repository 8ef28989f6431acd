import Foundation
import VL2Measure

/// What `vl2 bench --kernels` prints.
struct KernelReport: Encodable {
  private let times: KernelTimes

  init(_ times: KernelTimes) { self.times = times }

  /// A table with a part for each instruction set.
  var table: String {
    var text = ""
    for peak in times.peaks {
      text += text.isEmpty ? "" : "\n"
      text += String(
        format: "%@: at most %.0f GOP/s int8, %.0f GFLOP/s float32, one thread\n\n", peak.isa,
        peak.int8 / 1e9,
        peak.float32 / 1e9)
      let entries = times.entries.filter { $0.isa == peak.isa }
      let names = entries.map(\.name.count).max() ?? 0
      let shapes = entries.map(\.shape.count).max() ?? 0
      for entry in entries {
        let gigabytes = Double(entry.bytes) / entry.seconds / 1e9
        text += entry.name.padding(toLength: names + 2, withPad: " ", startingAt: 0)
        text += entry.shape.padding(toLength: shapes, withPad: " ", startingAt: 0)
        text += String(format: "%10.1f us%8.1f GB/s", entry.seconds * 1e6, gigabytes)
        if let share = entry.peakShare {
          text += String(format: "%8.1f GOP/s%5.0f %%", entry.operations / entry.seconds / 1e9, share * 100)
        }
        text += "\n"
      }
    }
    return text
  }

  private enum Keys: String, CodingKey { case kernels, peaks }
  private enum PeakKeys: String, CodingKey {
    case isa
    case int8 = "int8_operations_per_second"
    case float32 = "float_operations_per_second"
  }
  private enum EntryKeys: String, CodingKey {
    case isa, name, shape, seconds
    case bytesPerSecond = "bytes_per_second"
    case operationsPerSecond = "operations_per_second"
    case peakShare = "peak_share"
  }

  func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: Keys.self)
    var peaks = object.nestedUnkeyedContainer(forKey: .peaks)
    for peak in times.peaks {
      var entry = peaks.nestedContainer(keyedBy: PeakKeys.self)
      try entry.encode(peak.isa, forKey: .isa)
      try entry.encode(peak.int8, forKey: .int8)
      try entry.encode(peak.float32, forKey: .float32)
    }
    var kernels = object.nestedUnkeyedContainer(forKey: .kernels)
    for time in times.entries {
      var entry = kernels.nestedContainer(keyedBy: EntryKeys.self)
      try entry.encode(time.isa, forKey: .isa)
      try entry.encode(time.name, forKey: .name)
      try entry.encode(time.shape, forKey: .shape)
      try entry.encode(time.seconds, forKey: .seconds)
      try entry.encode(Double(time.bytes) / time.seconds, forKey: .bytesPerSecond)
      if let share = time.peakShare {
        try entry.encode(time.operations / time.seconds, forKey: .operationsPerSecond)
        try entry.encode(share, forKey: .peakShare)
      }
    }
  }
}
