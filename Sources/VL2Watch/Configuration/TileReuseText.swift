import VL2Run

extension TileReuse {
  /// What a camera is watched with unless somebody says otherwise (Benchmarks/RESULTS.md, "Looking again").
  package static let forWatching = TileReuse.threshold(4)

  /// The largest change that makes sense: a block that is as much darker or brighter is another one.
  private static let largest = 64.0

  /// From `off`, `exact` or a number of steps of 0...255; nil for what is none of these.
  package init?(_ text: String) {
    switch text {
    case "off": self = .off
    case "exact": self = .exact
    default:
      guard text.allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }), let change = Double(text),
        change > 0, change <= Self.largest
      else { return nil }
      self = .threshold(change)
    }
  }

  /// What a text has to be.
  package static let form = "off, exact, or a number up to 64"
}
