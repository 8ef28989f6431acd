/// How many of a pool's threads write tokens. Writing is bound by memory, which two processors of a small board may use up:
/// more threads are then no faster, and warm the board. Where another program is busy, even one may be fastest.
///
/// It is found out while tokens are written: from time to time a few of them are written by other numbers of threads. No
/// result depends on it, and a try costs at most about as much as one token.
package struct WritingThreads: Sendable, Equatable {
  /// The threads of the pool.
  package let all: Int
  /// How many write.
  package private(set) var chosen: Int
  /// The same where it was found out, or remembered; nil as long as it is a guess.
  package private(set) var known: Int?

  private let isFixed: Bool
  /// Tokens until the next try; nil during one.
  private var tokensLeft: Int?
  /// Those of a try that are still in it, the largest first, and the shortest time of each.
  private var numbers: [Int] = []
  private var shortest: [Int: Double] = [:]
  private var index = 0
  private var round = 0

  /// Times that each number has in a try; the shortest counts, since whatever disturbs makes it longer.
  private static let rounds = 4
  /// Tokens before the first try, which read weights from storage, and between later ones. A remembered number that is not
  /// that of all threads is tried soon: it may have been found when the machine was busy.
  private static let (beginning, soon, later, late) = (2, 32, 256, 1024)
  /// Two threads may take a little longer than all do.
  private static let sameTime = 1.01
  /// One has to be faster than what it takes the place of.
  private static let oneFaster = 0.95
  /// What is so much slower at its first token needs no second.
  private static let muchSlower = 1.25

  /// - Parameter isFixed: whether all threads always write, because somebody asked for so many.
  package init(all: Int, isFixed: Bool) {
    self.all = max(1, all)
    self.isFixed = isFixed || all <= 1
    chosen = self.all
    tokensLeft = Self.beginning
  }

  /// What an earlier process found out. What cannot be is left out.
  package mutating func remember(_ threads: Int) {
    guard !isFixed, known == nil, Self.numbers(all).contains(threads) else { return }
    chosen = threads
    known = threads
    tokensLeft = threads == all ? Self.late : Self.soon
    numbers = []
  }

  /// Whether tokens have to be timed.
  package var isTrying: Bool { tokensLeft == nil }

  /// How many threads write the next token.
  package var next: Int { isTrying ? numbers[index] : chosen }

  /// A token was written, by `next` threads.
  ///
  /// - Parameter seconds: what it took; only looked at during a try.
  package mutating func wrote(seconds: Double) {
    guard !isFixed else { return }
    if let left = tokensLeft {
      tokensLeft = left > 1 ? left - 1 : nil
      if tokensLeft == nil { beginTry() }
      return
    }
    let number = numbers[index]
    shortest[number] = min(shortest[number] ?? .infinity, seconds)
    if number < all, seconds > Self.muchSlower * (shortest[all] ?? .infinity) {
      // Where two are much slower than all, one is slower still.
      numbers.removeSubrange(index...)
    } else {
      index += 1
    }
    guard index >= numbers.count else { return }
    index = 0
    round += 1
    if round == Self.rounds || numbers.count == 1 { decide() }
  }

  /// What may be fastest, the largest first.
  private static func numbers(_ all: Int) -> [Int] { [all, 2, 1].filter { $0 <= all }.uniqued() }

  private mutating func beginTry() {
    numbers = Self.numbers(all)
    shortest = [:]
    (index, round) = (0, 0)
  }

  private mutating func decide() {
    var best = all
    for number in numbers.dropFirst() {
      guard let time = shortest[number], let bestTime = shortest[best] else { continue }
      if time <= bestTime * (number == 1 ? Self.oneFaster : Self.sameTime) { best = number }
    }
    tokensLeft = known == nil ? Self.later : Self.late
    (chosen, known) = (best, best)
  }
}

extension [Int] {
  /// Without those that stand before.
  fileprivate func uniqued() -> [Int] {
    enumerated().filter { !self[..<$0.offset].contains($0.element) }.map(\.element)
  }
}
