/// A number of bytes as people write and read it.
public struct ByteSize: Sendable, Equatable {
  public var bytes: Int

  public init(bytes: Int) { self.bytes = bytes }

  /// Reads a whole number, alone or followed by K, M or G (powers of 1024).
  public init?(_ text: String) {
    let digits = text.prefix { $0.isASCII && $0.isNumber }
    let shift: Int
    switch text.dropFirst(digits.count) {
    case "": shift = 0
    case "K", "k": shift = 10
    case "M", "m": shift = 20
    case "G", "g": shift = 30
    default: return nil
    }
    guard let number = Int(digits), number <= Int.max >> shift else { return nil }
    bytes = number << shift
  }

  /// As the value of an option, for example "900M": whole mebibytes, rounded up.
  public var argument: String { "\(bytes >> 20 + (bytes & 0xF_FFFF == 0 ? 0 : 1))M" }

  /// Mebibytes without the unit, for a table column that has the unit in its header.
  public var mebibytes: String { NumberText.fixed(Double(bytes) / 1_048_576, 1) }
}

extension ByteSize: CustomStringConvertible {
  /// For example "1.8 GiB", "420 MiB" or "16 KiB".
  public var description: String {
    var value = Double(bytes)
    var units = ["bytes", "KiB", "MiB", "GiB", "TiB"][...]
    while value.rounded() >= 1024, units.count > 1 {
      value /= 1024
      units.removeFirst()
    }
    let isWhole = value == value.rounded() || value >= 99.95
    return "\(NumberText.fixed(value, isWhole ? 0 : 1)) \(bytes == 1 ? "byte" : units.first ?? "")"
  }
}
