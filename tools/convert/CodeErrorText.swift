import VL2Base

extension NumberText {
  /// A code's error, in parts per million, as tables show it.
  static func error(ppm: Int) -> String { ppm == 0 ? "0" : percent(Double(ppm) / 1e6, 2) }
}
