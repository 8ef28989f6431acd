/// Follows a grammar byte by byte.
///
/// A state is the set of all ways in which the text so far may continue; each way is a stack of rules that have begun.
/// States and the steps between them are computed when they are first needed and then kept, so that following a text
/// costs one table look-up for each byte. The number of characters of the string at hand stands beside all that, so that
/// a string of bounded length needs no states for each number.
package final class GrammarMachine {
  package struct State: Hashable, Sendable {
    /// The number of the set of stacks.
    fileprivate var node: Int32
    /// Characters of the string at hand that have begun, as long as it matters.
    fileprivate var characters: Int32
  }

  /// A place between two characters of a string, where nothing else can be.
  struct StringPlace {
    /// The fewest and the most characters that may come; nil for any number.
    var least: Int
    var most: Int?
    /// The state after the string.
    var end: State
  }

  fileprivate enum Frame: Hashable {
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
  /// The most frames of a state's stacks: a schema of a few lines may allow millions of ways, and those that are left out
  /// are not taken.
  private static let mostFrames = 1 << 16

  private let grammar: Grammar
  private let shortest: ShortestTexts
  private var stacks: [[Stack]] = []
  private var numbers: [[Stack]: Int32] = [:]
  /// Frames of all stacks.
  private var frames = 0
  /// The next set of stacks, [node][256]; -1 for none, -2 for not known yet.
  private var steps: [Int32] = []
  /// The number of characters at which the ways on change, for each node; the largest number for none.
  private var limits: [Int32] = []
  /// Whether each node stands between two characters of a string.
  private var areBetweenCharacters: [Bool] = []
  /// Steps that reach a limit, by node and byte.
  private var limitSteps: [Int: Int32] = [:]
  /// The nodes after strings, by the nodes between their characters.
  private var stringEnds: [Int32: Int32] = [:]

  package private(set) var start = State(node: 0, characters: 0)

  /// nil where the grammar has no finite text.
  package init?(_ grammar: Grammar) {
    self.grammar = grammar
    // A rule without a finite text is never taken where there is another way, and is not the root.
    shortest = ShortestTexts(grammar)
    guard grammar.rules.indices.contains(grammar.root), shortest.exist(grammar.root) else { return nil }
    start.node = node(of: closure([[.rule(grammar.root)]]))
  }

  /// Bytes that the states take, roughly.
  package var byteCount: Int { steps.count * 4 + frames * 48 }

  /// Forgets all states but one, which gets another number.
  package func forget(except state: State) -> State {
    let kept = stacks[Int(state.node)]
    (stacks, numbers, frames, steps, limits) = ([], [:], 0, [], [])
    (areBetweenCharacters, limitSteps, stringEnds) = ([], [:], [:])
    return State(node: node(of: kept), characters: state.characters)
  }

  /// The state after one more byte.
  package func state(after byte: UInt8, _ state: State) -> State? {
    let node = Int(state.node)
    let place = node << 8 + Int(byte)
    var characters = state.characters
    var next: Int32
    if areBetweenCharacters[node], byte != UInt8(ascii: "\""), limits[node] != .max {
      characters += 1
      if characters == limits[node] {
        next = limitSteps[place] ?? find(node, byte, characters)
        limitSteps[place] = next
        return self.state(next, characters)
      }
    }
    next = steps[place]
    if next == -2 {
      next = find(node, byte, nil)
      steps[place] = next
    }
    return self.state(next, characters)
  }

  private func state(_ node: Int32, _ characters: Int32) -> State? {
    node < 0 ? nil : State(node: node, characters: limits[Int(node)] == .max ? 0 : characters)
  }

  /// Whether the text may end here.
  package func isWhole(_ state: State) -> Bool { stacks[Int(state.node)].contains([]) }

  /// Whether the text has to end here.
  func isAtEnd(_ state: State) -> Bool { stacks[Int(state.node)] == [[]] }

  /// The only byte that may follow, as part of a text that the grammar gives; nil where there are several ways.
  func onlyByte(after state: State) -> UInt8? {
    var only: UInt8?
    for stack in stacks[Int(state.node)] {
      guard case .done(let done, let index)? = stack.last, case .literal(let bytes) = grammar.rules[index],
        only == nil || only == bytes[done]
      else { return nil }
      only = bytes[done]
    }
    return only
  }

  /// nil where the state is not between two characters of a string, or where something else is possible too.
  func stringPlace(_ state: State) -> StringPlace? {
    let stacks = stacks[Int(state.node)]
    guard stacks.count == 1, case .string(let index, let progress)? = stacks[0].last,
      progress.isBetweenCharacters, case .string(let least, let most) = grammar.rules[index]
    else { return nil }
    let end = stringEnds[state.node] ?? node(of: closure([stacks[0].dropLast()]))
    stringEnds[state.node] = end
    return StringPlace(
      least: progress.isLongEnough ? 0 : least - Int(state.characters),
      most: progress.isFull ? 0 : most.map { $0 - Int(state.characters) },
      end: State(node: end, characters: 0))
  }

  // MARK: the shortest way to the end

  /// The fewest bytes that end the text.
  package func completion(of state: State) -> [UInt8] {
    let characters = Int(state.characters)
    let ways = stacks[Int(state.node)].map { stack in
      (stack: stack, length: stack.reduce(0) { $0 + completionLength(of: $1, characters) })
    }
    var text: [UInt8] = []
    for frame in (ways.min { $0.length < $1.length }?.stack ?? []).reversed() {
      appendCompletion(of: frame, characters, to: &text)
    }
    return text
  }

  private func completionLength(of frame: Frame, _ characters: Int) -> Int {
    switch (frame, grammar.rules[frame.index]) {
    case (.rule(let index), _): shortest.length(index)
    case (.done(let done, _), .literal(let bytes)): bytes.count - done
    case (.done(let done, _), .sequence(let parts)):
      parts[done...].reduce(0) { $0 + shortest.length($1) }
    case (.string(_, let progress), .string(let least, _)):
      progress.completion(missing: progress.isLongEnough ? 0 : least - characters).count
    case (.number(_, let progress), .number(let range)): range.completion(of: progress)?.count ?? 0
    case (.elements(_, let begun), .elements(let element, let least, _, let separator)):
      max(0, least - begun) * (shortest.length(element) + shortest.length(separator))
    case (.members(let index, let next, let any), _):
      shortest.membersLength(index, next: next, any: any)
    default: 0
    }
  }

  private func appendCompletion(of frame: Frame, _ characters: Int, to text: inout [UInt8]) {
    switch (frame, grammar.rules[frame.index]) {
    case (.rule(let index), _): shortest.append([index], to: &text)
    case (.done(let done, _), .literal(let bytes)): text += bytes[done...]
    case (.done(let done, _), .sequence(let parts)): shortest.append(Array(parts[done...]), to: &text)
    case (.string(_, let progress), .string(let least, _)):
      text += progress.completion(missing: progress.isLongEnough ? 0 : least - characters)
    case (.number(_, let progress), .number(let range)): text += range.completion(of: progress) ?? []
    case (.elements(_, let begun), .elements(let element, let least, _, let separator)):
      for number in begun..<max(begun, least) {
        shortest.append(number == 0 ? [element] : [separator, element], to: &text)
      }
    case (.members(_, let next, var any), .members(let members, let separator)):
      for member in members[next...] where member.isRequired {
        shortest.append(any ? [separator, member.rule] : [member.rule], to: &text)
        any = true
      }
    default: break
    }
  }

  // MARK: finding states

  private func node(of stacks: [Stack]) -> Int32 {
    if let known = numbers[stacks] { return known }
    let number = Int32(self.stacks.count)
    self.stacks.append(stacks)
    numbers[stacks] = number
    frames += stacks.reduce(0) { $0 + $1.count }
    steps += repeatElement(-2, count: 256)
    var (limit, isBetween) = (Int32.max, false)
    for stack in stacks {
      guard case .string(let index, let progress)? = stack.last,
        case .string(let least, let most) = grammar.rules[index]
      else { continue }
      // All strings that a text can be in began at the same byte, so that their characters are counted together.
      limit = min(limit, progress.nextLimit(least: least, most: most).map(Int32.init) ?? .max)
      isBetween = isBetween || progress.isBetweenCharacters
    }
    limits.append(limit)
    areBetweenCharacters.append(isBetween)
    return number
  }

  /// The node after one more byte; -1 for none.
  ///
  /// - Parameter characters: the characters of the string at hand, where their number has reached a limit.
  private func find(_ node: Int, _ byte: UInt8, _ characters: Int32?) -> Int32 {
    let next = closure(stacks[node].compactMap { step($0, byte, characters) })
    return next.isEmpty ? -1 : self.node(of: next)
  }

  /// Expands `stacks` as far as possible without a further byte. The result holds empty stacks, and stacks
  /// that wait for a byte at their top.
  private func closure(_ stacks: [Stack]) -> [Stack] {
    var seen: Set<Stack> = []
    var waiting: [Stack] = []
    var left = stacks
    var room = Self.mostFrames
    func wait(_ stack: Stack) {
      room -= stack.count + 1
      waiting.append(stack)
    }
    while room > 0, var stack = left.popLast() {
      guard stack.count <= Self.deepest, seen.insert(stack).inserted else { continue }
      guard let top = stack.popLast() else {
        wait([])
        continue
      }
      switch top {
      case .rule(let index):
        switch grammar.rules[index] {
        case .literal, .sequence: left.append(stack + [.done(0, of: index)])
        case .choice(let parts):
          for part in parts where shortest.exist(part) { left.append(stack + [.rule(part)]) }
        case .string: left.append(stack + [.string(index, .begin)])
        case .number: left.append(stack + [.number(index, .begin)])
        case .elements: left.append(stack + [.elements(index, begun: 0)])
        case .members: left.append(stack + [.members(index, next: 0, any: false)])
        }
      case .done(let done, let index):
        switch grammar.rules[index] {
        case .literal(let bytes):
          if done == bytes.count { left.append(stack) } else { wait(stack + [top]) }
        case .sequence(let parts):
          if done == parts.count {
            left.append(stack)
          } else {
            left.append(stack + [.done(done + 1, of: index), .rule(parts[done])])
          }
        case .choice, .string, .number, .elements, .members: break
        }
      case .string(_, let progress):
        if progress.isDone { left.append(stack) } else { wait(stack + [top]) }
      case .number(let index, let progress):
        wait(stack + [top])
        if case .number(let range) = grammar.rules[index], range.isWhole(progress) { left.append(stack) }
      case .elements(let index, let begun):
        guard case .elements(let element, let least, let most, let separator) = grammar.rules[index] else {
          break
        }
        if begun >= least { left.append(stack) }
        guard begun < most ?? .max, shortest.exist(element) else { break }
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
        guard shortest.exist(member.rule) else { break }
        let rest = Frame.members(index, next: next + 1, any: true)
        left.append(
          stack + (any ? [rest, .rule(member.rule), .rule(separator)] : [rest, .rule(member.rule)]))
      }
    }
    return waiting
  }

  /// A waiting stack after one more byte.
  private func step(_ stack: Stack, _ byte: UInt8, _ characters: Int32?) -> Stack? {
    var stack = stack
    switch stack.popLast() {
    case .done(let done, let index):
      guard case .literal(let bytes) = grammar.rules[index], bytes[done] == byte else { return nil }
      return stack + [.done(done + 1, of: index)]
    case .string(let index, let progress):
      guard case .string(let least, let most) = grammar.rules[index], var next = progress.after(byte) else {
        return nil
      }
      if progress == .begin {
        next.count(0, least: least, most: most)
      } else if let characters {
        next.count(Int(characters), least: least, most: most)
      }
      return stack + [.string(index, next)]
    case .number(let index, let progress):
      guard case .number(let range) = grammar.rules[index], let next = range.after(byte, progress) else {
        return nil
      }
      return stack + [.number(index, next)]
    case .rule, .elements, .members, nil: return nil
    }
  }
}

extension GrammarMachine.Frame {
  /// The frame's rule.
  fileprivate var index: Int {
    switch self {
    case .rule(let index), .done(_, of: let index), .string(let index, _), .number(let index, _),
      .elements(let index, begun: _), .members(let index, next: _, any: _):
      index
    }
  }
}
