/// The shortest text of each rule of a grammar.
///
/// Only lengths are kept, since a schema of a few lines may have a text of gigabytes; a text is put together when it is
/// wanted. Each rule is looked at once, however the rules refer to each other.
///
/// Source: Knuth, "A generalization of Dijkstra's algorithm", Information Processing Letters 6, 1977.
struct ShortestTexts {
  /// Lengths above are not told apart.
  static let limit = 1 << 16

  private let rules: [Grammar.Rule]
  /// Bytes of each text; nil where a rule contains itself without an end.
  private var lengths: [Int?]
  /// The part of each choice that has the shortest text.
  private var picked: [Int]
  /// For each object's members, what those from each one on take that have to be there, each after a separator.
  private var rest: [Int: [Int]] = [:]

  init(_ grammar: Grammar) {
    rules = grammar.rules
    lengths = .init(repeating: nil, count: rules.count)
    picked = .init(repeating: 0, count: rules.count)
    /// Parts that each rule waits for, and rules that wait for each part.
    var missing = rules.map { Self.parts(of: $0).count }
    var waiting = [[Int]](repeating: [], count: rules.count)
    for (index, rule) in rules.enumerated() {
      for part in Self.parts(of: rule) { waiting[part].append(index) }
    }
    // Rules by the lengths of their texts. No text is shorter than that of a part it waits for.
    var found = [[Int]](repeating: [], count: Self.limit + 2)
    for (index, rule) in rules.enumerated() where missing[index] == 0 {
      if case .choice = rule { continue }
      found[length(of: rule)].append(index)
    }
    for length in found.indices {
      var next = 0
      while next < found[length].count {
        let index = found[length][next]
        next += 1
        if lengths[index] != nil { continue }
        lengths[index] = length
        for other in waiting[index] where lengths[other] == nil {
          missing[other] -= 1
          if case .choice = rules[other] {
            // The first one that is found is the shortest.
            if missing[other] + 1 == Self.parts(of: rules[other]).count { picked[other] = index }
            found[length].append(other)
          } else if missing[other] == 0 {
            found[self.length(of: rules[other])].append(other)
          }
        }
      }
    }
    for (index, rule) in rules.enumerated() {
      guard case .members(let members, let separator) = rule else { continue }
      var sums = [0]
      for member in members.reversed() {
        sums.append(
          sums[sums.count - 1] + (member.isRequired ? self.length(separator) + self.length(member.rule) : 0))
      }
      rest[index] = sums.reversed()
    }
  }

  /// The parts whose texts a rule's text is made of; of a choice, those that it may be made of.
  private static func parts(of rule: Grammar.Rule) -> [Int] {
    switch rule {
    case .literal, .string, .number: []
    case .sequence(let parts), .choice(let parts): parts
    case .elements(let element, let least, _, let separator):
      least == 0 ? [] : least == 1 ? [element] : [element, separator]
    case .members(let members, let separator):
      members.filter(\.isRequired).enumerated().flatMap { $0 == 0 ? [$1.rule] : [separator, $1.rule] }
    }
  }

  /// The length of a text whose parts' lengths are known, no more than one above the limit.
  private func length(of rule: Grammar.Rule) -> Int {
    let length: Int
    switch rule {
    case .literal(let bytes): length = bytes.count
    case .string(let least, _): length = least + 2
    case .number(let range): length = range.completion(of: .begin)?.count ?? 0
    case .elements(let element, let least, _, let separator):
      length = least * self.length(element) + max(0, least - 1) * self.length(separator)
    case .sequence, .members, .choice: length = Self.parts(of: rule).reduce(0) { $0 + self.length($1) }
    }
    return min(length, Self.limit + 1)
  }

  /// Bytes of a rule's text, one above the limit for longer ones.
  func length(_ rule: Int) -> Int { lengths[rule] ?? 0 }

  /// Whether the rule has a finite text.
  func exist(_ rule: Int) -> Bool { lengths[rule] != nil }

  /// Bytes of the members from `next` on, of an object's members.
  ///
  /// - Parameter any: whether one was written before.
  func membersLength(_ rule: Int, next: Int, any: Bool) -> Int {
    guard case .members(_, let separator) = rules[rule], let length = rest[rule]?[next], length > 0 else {
      return 0
    }
    return any ? length : length - self.length(separator)
  }

  /// Adds the texts of rules, one after the other. They must be within the limit.
  func append(_ list: [Int], to text: inout [UInt8]) {
    var left = Array(list.reversed())
    while let index = left.popLast() {
      switch rules[index] {
      case .literal(let bytes): text += bytes
      case .string(let least, _): text += StringProgress.begin.completion(missing: least)
      case .number(let range): text += range.completion(of: .begin) ?? []
      case .choice: left.append(picked[index])
      case .sequence(let parts): left += parts.reversed()
      case .elements(let element, let least, _, let separator):
        for number in 0..<least { left += number == 0 ? [element] : [separator, element] }
      case .members: left += Self.parts(of: rules[index]).reversed()
      }
    }
  }
}
