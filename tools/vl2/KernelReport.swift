import VL2Base
import VL2Console
import VL2Measure

/// What `vl2 bench --kernels` prints.
struct KernelReport: Encodable {
  private let times: KernelTimes

  init(_ times: KernelTimes) { self.times = times }

  /// A table for each instruction set.
  var table: String {
    func number(_ value: Double, _ digits: Int = 1) -> String { NumberText.fixed(value, digits) }
    return times.peaks.map { peak in
      var table = TextTable(alignment: "llrrrr")
      for entry in times.entries where entry.isa == peak.isa {
        let bytesPerSecond = Double(entry.bytes) / entry.seconds
        var row = [
          entry.name, entry.shape, number(entry.seconds * 1e6) + " us",
          number(bytesPerSecond / 1e9) + " GB/s",
        ]
        if let share = entry.peakShare {
          row.append(number(entry.operations / entry.seconds / 1e9) + " GOP/s")
          row.append(NumberText.percent(share, 0))
        }
        table.append(row)
      }
      return "\(peak.isa): at most \(number(peak.int8 / 1e9, 0)) GOP/s int8, "
        + "\(number(peak.float32 / 1e9, 0)) GFLOP/s float32, one thread\n\n" + table.text
    }.joined(separator: "\n")
  }

  private enum Keys: CodingKey { case kernels, peaks }
  private enum PeakKeys: String, CodingKey {
    case isa
    case int8 = "int8_operations_per_second"
    case float32 = "float_operations_per_second"
  }
  private enum EntryKeys: CodingKey {
    case isa, name, shape, seconds, bytesPerSecond, operationsPerSecond, peakShare
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
