import VL2Base

/// What was said in a session.
final class SessionHistory: Sendable {
  private struct Exchange {
    var asked: [Turn]
    var answer: Turn
  }

  private struct State {
    var exchanges: [Exchange] = []
    /// Grows when something is forgotten on purpose: an answer that comes later does not belong here.
    var age = 0
    /// Whether nobody has the session any more.
    var isOver = false
  }

  let number: Int
  private let system: [Turn]
  private let state = Monitor(State())

  init(number: Int, system: String?) {
    self.number = number
    self.system = system.map { [.system($0)] } ?? []
  }

  var turns: [Turn] {
    system + state.withLock { $0.exchanges.flatMap { $0.asked + [$0.answer] } }
  }

  var age: Int { state.withLock { $0.age } }

  /// Whether what was computed for a history of this age is of no more use.
  func isPast(age: Int) -> Bool { state.withLock { $0.isOver || $0.age != age } }

  func end() { state.withLock { $0.isOver = true } }

  func forget() {
    state.withLock { state in
      state.exchanges = []
      state.age += 1
    }
  }

  func forgetLast() {
    state.withLock { state in
      _ = state.exchanges.popLast()
      state.age += 1
    }
  }

  /// Adds a question and its answer, unless it has none.
  ///
  /// - Parameters:
  ///   - asked: the question's turns; how the answer begins, if they end with it, is a part of `said`.
  ///   - said: the whole answer, with its tokens where they say exactly its text.
  ///   - age: of the history that the question followed on.
  func record(_ asked: [Turn], _ said: Turn, _ answer: Answer, age: Int) {
    guard answer.counts.writtenTokens > 0 || answer.ending == .complete, answer.ending != .failed,
      answer.choices.choices.isEmpty
    else { return }
    let asked = asked.last?.role == .assistant ? asked.dropLast() : asked
    state.withLock { state in
      guard state.age == age else { return }
      state.exchanges.removeFirst(min(answer.forgotten, state.exchanges.count))
      state.exchanges.append(Exchange(asked: asked, answer: said))
      // Pictures stay as closely looked at as they were, so that they need not be looked at again.
      var tiles = (answer.plan?.tiles ?? [])[...]
      for exchange in state.exchanges.indices {
        for turn in state.exchanges[exchange].asked.indices {
          state.exchanges[exchange].asked[turn].fixTiles(&tiles)
        }
      }
    }
  }
}

extension Turn {
  /// Gives each picture the number of tiles that it had, taken from the front of `tiles`.
  fileprivate mutating func fixTiles(_ tiles: inout ArraySlice<Int>) {
    for index in parts.indices {
      if case .picture(let picture, let most) = parts[index] {
        parts[index] = .picture(picture, mostTiles: tiles.popFirst() ?? most)
      }
    }
  }
}
