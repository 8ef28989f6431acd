/// Rules that JSON texts follow.
///
/// A rule refers to other rules by their index, so a rule may contain itself.
package struct Grammar: Sendable {
  package enum Rule: Sendable {
    case literal([UInt8])
    /// All of these, one after the other.
    case sequence([Int])
    /// One of these.
    case choice([Int])
    /// A JSON string of `least` to `most` characters (Unicode scalars).
    case string(least: Int, most: Int?)
    case number(NumberRange)
    /// The elements between an array's brackets.
    case elements(of: Int, least: Int, most: Int?, separator: Int)
    /// The members between an object's braces, in this order.
    case members([Member], separator: Int)
  }

  package struct Member: Sendable {
    /// The name with its colon, then the value.
    var rule: Int
    var isRequired: Bool
  }

  package var rules: [Rule] = []
  package var root = 0

  package init() {}

  package mutating func add(_ rule: Rule) -> Int {
    rules.append(rule)
    return rules.count - 1
  }

  /// The shortest text of each rule; nil where a rule contains itself without an end.
  func shortestTexts() -> [[UInt8]?] {
    var texts = [[UInt8]?](repeating: nil, count: rules.count)
    // Each pass builds texts from those found before; a later pass may find a shorter one.
    var changed = true
    while changed {
      changed = false
      for (index, rule) in rules.enumerated() {
        guard let text = shortestText(of: rule, texts) else { continue }
        if texts[index].map({ text.count < $0.count }) ?? true {
          texts[index] = text
          changed = true
        }
      }
    }
    return texts
  }

  private func shortestText(of rule: Rule, _ texts: [[UInt8]?]) -> [UInt8]? {
    func joined(_ parts: [Int]) -> [UInt8]? {
      var text: [UInt8] = []
      for part in parts {
        guard let piece = texts[part] else { return nil }
        text += piece
      }
      return text
    }
    switch rule {
    case .literal(let bytes): return bytes
    case .sequence(let parts): return joined(parts)
    case .choice(let parts): return parts.compactMap { texts[$0] }.min { $0.count < $1.count }
    case .string(let least, _): return StringProgress.begin.completion(least: least)
    case .number(let range): return range.completion(of: .begin)
    case .elements(let element, let least, _, let separator):
      return joined((0..<least).flatMap { $0 == 0 ? [element] : [separator, element] })
    case .members(let members, let separator):
      let required = members.filter(\.isRequired).enumerated()
      return joined(required.flatMap { $0 == 0 ? [$1.rule] : [separator, $1.rule] })
    }
  }
}
