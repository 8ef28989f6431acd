/// Follows a grammar byte by byte.
///
/// A state is the set of all ways in which the text so far may continue; each way is a stack of rules that
/// have begun. States and the steps between them are computed when they are first needed and then kept, so
/// that following a text costs one table look-up for each byte. Inside a string there are few states.
package final class GrammarMachine {
  /// A state's number; nil where no text of the grammar begins with the bytes so far.
  package typealias State = Int

  private enum Frame: Hashable {
    case rule(Int)
    /// A literal or a sequence, and how much of it is done.
    case done(Int, of: Int)
    case string(Int, StringProgress)
    case number(Int, NumberRange.Progress)
    /// An array's elements, and how many have begun.
    case elements(Int, begun: Int)
    /// An object's members: the next one to decide on, and whether any is written yet.
    case members(Int, next: Int, any: Bool)
  }

  private typealias Stack = [Frame]

  /// The deepest stack, deeper than any sensible answer nests. At this depth the text has to come to an end.
  private static let deepest = 512

  private let grammar: Grammar
  private let shortest: [[UInt8]]
  private let hasText: [Bool]
  private var stacks: [[Stack]] = []
  private var numbers: [[Stack]: State] = [:]
  /// The next state, [state][256]; -1 for no state, -2 for not known yet.
  private var steps: [Int32] = []

  package private(set) var start: State = 0

  /// nil where the grammar has no finite text.
  package init?(_ grammar: Grammar) {
    let texts = grammar.shortestTexts()
    guard texts.indices.contains(grammar.root), texts[grammar.root] != nil else { return nil }
    self.grammar = grammar
    // A rule without a finite text is never taken where there is another way, and is not the root.
    shortest = texts.map { $0 ?? [] }
    hasText = texts.map { $0 != nil }
    start = number(of: closure([[.rule(grammar.root)]]))
  }

  /// States known so far.
  var count: Int { stacks.count }

  /// The state after one more byte.
  package func state(after byte: UInt8, _ state: State) -> State? {
    let place = state << 8 + Int(byte)
    if steps[place] == -2, !findStepsOfString(state) {
      let next = closure(stacks[state].compactMap { step($0, byte) })
      steps[place] = next.isEmpty ? -1 : Int32(number(of: next))
    }
    return steps[place] < 0 ? nil : Int(steps[place])
  }

  /// Whether the text may end here.
  package func isWhole(_ state: State) -> Bool { stacks[state].contains([]) }

  /// Whether the text has to end here.
  func isAtEnd(_ state: State) -> Bool { stacks[state] == [[]] }

  /// The fewest bytes that end the text.
  func completion(of state: State) -> [UInt8] {
    stacks[state].map { $0.reversed().flatMap(completion(of:)) }.min { $0.count < $1.count } ?? []
  }

  /// Finds all steps from a state inside a string at once, since most bytes lead to the same few states. This
  /// matters for a string with a `maxLength`, which has states for each number of characters. Returns false
  /// where the state is not inside a string.
  private func findStepsOfString(_ state: State) -> Bool {
    guard stacks[state].count == 1, case .string(let index, let progress)? = stacks[state][0].last,
      case .string(let least, let most) = grammar.rules[index]
    else { return false }
    let below = stacks[state][0].dropLast()
    var found: [StringProgress: Int32] = [:]
    for byte in UInt8.min...UInt8.max {
      let place = state << 8 + Int(byte)
      guard let next = progress.after(byte, least: least, most: most) else {
        steps[place] = -1
        continue
      }
      if let known = found[next] {
        steps[place] = known
      } else {
        let stacks = closure([below + [.string(index, next)]])
        let step = stacks.isEmpty ? -1 : Int32(number(of: stacks))
        found[next] = step
        steps[place] = step
      }
    }
    return true
  }

  private func number(of stacks: [Stack]) -> State {
    if let known = numbers[stacks] { return known }
    let number = self.stacks.count
    self.stacks.append(stacks)
    numbers[stacks] = number
    steps += repeatElement(-2, count: 256)
    return number
  }

  /// Expands `stacks` as far as possible without a further byte. The result holds empty stacks, and stacks
  /// that wait for a byte at their top.
  private func closure(_ stacks: [Stack]) -> [Stack] {
    var seen: Set<Stack> = []
    var waiting: [Stack] = []
    var left = stacks
    while var stack = left.popLast() {
      guard stack.count <= Self.deepest, seen.insert(stack).inserted else { continue }
      guard let top = stack.popLast() else {
        waiting.append([])
        continue
      }
      switch top {
      case .rule(let index):
        switch grammar.rules[index] {
        case .literal, .sequence: left.append(stack + [.done(0, of: index)])
        case .choice(let parts): for part in parts where hasText[part] { left.append(stack + [.rule(part)]) }
        case .string: left.append(stack + [.string(index, .begin)])
        case .number: left.append(stack + [.number(index, .begin)])
        case .elements: left.append(stack + [.elements(index, begun: 0)])
        case .members: left.append(stack + [.members(index, next: 0, any: false)])
        }
      case .done(let done, let index):
        switch grammar.rules[index] {
        case .literal(let bytes):
          if done == bytes.count { left.append(stack) } else { waiting.append(stack + [top]) }
        case .sequence(let parts):
          if done == parts.count {
            left.append(stack)
          } else {
            left.append(stack + [.done(done + 1, of: index), .rule(parts[done])])
          }
        case .choice, .string, .number, .elements, .members: break
        }
      case .string(_, let progress):
        if progress.isDone { left.append(stack) } else { waiting.append(stack + [top]) }
      case .number(let index, let progress):
        waiting.append(stack + [top])
        if case .number(let range) = grammar.rules[index], range.isWhole(progress) { left.append(stack) }
      case .elements(let index, let begun):
        guard case .elements(let element, let least, let most, let separator) = grammar.rules[index] else {
          break
        }
        if begun >= least { left.append(stack) }
        guard begun < most ?? .max, hasText[element] else { break }
        // Without an upper bound there is no need to go on counting.
        let next = Frame.elements(index, begun: most == nil ? min(begun + 1, max(1, least)) : begun + 1)
        left.append(
          stack + (begun == 0 ? [next, .rule(element)] : [next, .rule(element), .rule(separator)]))
      case .members(let index, let next, let any):
        guard case .members(let members, let separator) = grammar.rules[index] else { break }
        guard next < members.count else {
          left.append(stack)
          break
        }
        let member = members[next]
        if !member.isRequired { left.append(stack + [.members(index, next: next + 1, any: any)]) }
        guard hasText[member.rule] else { break }
        let rest = Frame.members(index, next: next + 1, any: true)
        left.append(
          stack + (any ? [rest, .rule(member.rule), .rule(separator)] : [rest, .rule(member.rule)]))
      }
    }
    return waiting
  }

  /// A waiting stack after one more byte.
  private func step(_ stack: Stack, _ byte: UInt8) -> Stack? {
    var stack = stack
    switch stack.popLast() {
    case .done(let done, let index):
      guard case .literal(let bytes) = grammar.rules[index], bytes[done] == byte else { return nil }
      return stack + [.done(done + 1, of: index)]
    case .string(let index, let progress):
      guard case .string(let least, let most) = grammar.rules[index],
        let next = progress.after(byte, least: least, most: most)
      else { return nil }
      return stack + [.string(index, next)]
    case .number(let index, let progress):
      guard case .number(let range) = grammar.rules[index], let next = range.after(byte, progress) else {
        return nil
      }
      return stack + [.number(index, next)]
    case .rule, .elements, .members, nil: return nil
    }
  }

  /// The fewest bytes that end a begun rule.
  private func completion(of frame: Frame) -> [UInt8] {
    switch frame {
    case .rule(let index): return shortest[index]
    case .done(let done, let index):
      switch grammar.rules[index] {
      case .literal(let bytes): return Array(bytes[done...])
      case .sequence(let parts): return parts[done...].flatMap { shortest[$0] }
      case .choice, .string, .number, .elements, .members: return []
      }
    case .string(let index, let progress):
      guard case .string(let least, _) = grammar.rules[index] else { return [] }
      return progress.completion(least: least)
    case .number(let index, let progress):
      guard case .number(let range) = grammar.rules[index] else { return [] }
      return range.completion(of: progress) ?? []
    case .elements(let index, let begun):
      guard case .elements(let element, let least, _, let separator) = grammar.rules[index] else { return [] }
      return (begun..<max(begun, least)).flatMap { ($0 == 0 ? [] : shortest[separator]) + shortest[element] }
    case .members(let index, let next, let any):
      guard case .members(let members, let separator) = grammar.rules[index] else { return [] }
      var text: [UInt8] = []
      for member in members[next...] where member.isRequired {
        text += (any || !text.isEmpty ? shortest[separator] : []) + shortest[member.rule]
      }
      return text
    }
  }
}
