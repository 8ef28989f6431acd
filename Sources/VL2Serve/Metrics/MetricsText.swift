import VL2Base

/// Figures in the text format of Prometheus, version 0.0.4. Each name is written once, with all of its samples.
package struct MetricsText {
  package typealias Labels = [(name: String, value: String)]

  package enum Kind: String { case counter, gauge }

  static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  package private(set) var text = ""

  package init() {}

  /// A quantity without labels; left out where it is not known.
  package mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Double?) {
    if let value { add(name, kind, help, [([], value)]) }
  }

  package mutating func add(_ name: String, _ kind: Kind, _ help: String, _ value: Int?) {
    add(name, kind, help, value.map { Double($0) })
  }

  /// A quantity that labels divide.
  package mutating func add(_ name: String, _ kind: Kind, _ help: String, _ samples: [(Labels, Double)]) {
    begin(name, kind.rawValue, help)
    for (labels, value) in samples { addSample(name, labels, Self.number(value)) }
  }

  package mutating func add(_ name: String, _ help: String, _ histograms: [(Labels, Histogram)]) {
    begin(name, "histogram", help)
    for (labels, histogram) in histograms {
      var below = 0
      for (bound, count) in zip(histogram.bounds, histogram.counts) {
        below += count
        addSample(name + "_bucket", labels + [("le", Self.number(bound))], "\(below)")
      }
      addSample(name + "_bucket", labels + [("le", "+Inf")], "\(histogram.count)")
      addSample(name + "_sum", labels, Self.number(histogram.sum))
      addSample(name + "_count", labels, "\(histogram.count)")
    }
  }

  private mutating func begin(_ name: String, _ kind: String, _ help: String) {
    text += "# HELP \(name) \(Self.escaped(help, quotes: false))\n# TYPE \(name) \(kind)\n"
  }

  private mutating func addSample(_ name: String, _ labels: Labels, _ value: String) {
    text += name
    if !labels.isEmpty {
      text += "{" + labels.map { "\($0.name)=\"\(Self.escaped($0.value))\"" }.joined(separator: ",") + "}"
    }
    text += " \(value)\n"
  }

  /// What the format cannot have as it is: a backslash, a line feed, in a label's value also a quotation mark.
  static func escaped(_ text: String, quotes: Bool = true) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      case "\"" where quotes: escaped += "\\\""
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }

  /// Whole numbers without a point.
  static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    return Int(exactly: value).map { "\($0)" } ?? "\(value)"
  }
}
