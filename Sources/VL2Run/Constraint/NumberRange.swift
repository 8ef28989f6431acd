/// Numbers between two bounds, written without exponent and with a limited number of digits after the point, so that
/// each is exactly an integer over a power of ten.
package struct NumberRange: Sendable, Equatable {
  /// The most digits after the point.
  let decimals: Int
  /// Bounds times 10^decimals.
  let least: Int
  let most: Int

  /// What bounds times 10^decimals may be: integers are those of 64 bits; other numbers have 15 digits, since a Double
  /// tells all such numbers apart.
  static func limits(decimals: Int) -> ClosedRange<Int> {
    decimals == 0 ? .min ... .max : -999_999_999_999_999...999_999_999_999_999
  }

  /// - Parameters: bounds times 10^decimals, within `limits`; `least <= most`.
  package init(decimals: Int, least: Int? = nil, most: Int? = nil) {
    let limits = Self.limits(decimals: decimals)
    self.decimals = decimals
    self.least = least ?? limits.lowerBound
    self.most = most ?? limits.upperBound
  }

  /// How far a number is written. Digits are kept only while what may follow depends on them, so that there
  /// are few states.
  enum Progress: Hashable, Sendable {
    case begin
    case minus
    /// Digits before the point, as a number.
    case whole(UInt64, isNegative: Bool)
    /// Digits before the point that need not be kept. Bit n says whether exactly n more digits may follow;
    /// they may then be any digits, with any fraction after them.
    case anyWhole(UInt32)
    /// All digits, as a number, and how many of them stand after the point.
    case fraction(UInt64, decimals: Int, isNegative: Bool)
    /// So many digits are written after the point, and any digits may follow.
    case anyFraction(Int)
  }

  /// The progress after one more byte; nil where the byte leads to no number of the range.
  func after(_ byte: UInt8, _ progress: Progress) -> Progress? {
    let digit =
      (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) ? Int128(byte - UInt8(ascii: "0")) : nil
    let isPoint = byte == UInt8(ascii: ".") && decimals > 0
    switch progress {
    case .begin:
      if byte == UInt8(ascii: "-") { return range(isNegative: true) == nil ? nil : .minus }
      return digit.flatMap { whole($0, isNegative: false) }
    case .minus: return digit.flatMap { whole($0, isNegative: true) }
    case .whole(let digits, let isNegative):
      if isPoint { return fraction(Int128(digits), decimals: 0, isNegative: isNegative) }
      // No digit follows a leading zero.
      return digits == 0 ? nil : digit.flatMap { whole(Int128(digits) * 10 + $0, isNegative: isNegative) }
    case .anyWhole(let more):
      if isPoint { return more & 1 == 1 ? .anyFraction(0) : nil }
      return digit == nil || more >> 1 == 0 ? nil : .anyWhole(more >> 1)
    case .fraction(let digits, let written, let isNegative):
      guard let digit, written < decimals else { return nil }
      return fraction(Int128(digits) * 10 + digit, decimals: written + 1, isNegative: isNegative)
    case .anyFraction(let written):
      return digit != nil && written < decimals ? .anyFraction(written + 1) : nil
    }
  }

  /// Whether the number may end here.
  func isWhole(_ progress: Progress) -> Bool {
    switch progress {
    case .begin, .minus: false
    case .whole(let digits, let isNegative):
      range(isNegative: isNegative)?.contains(Int128(digits) * Self.powers[decimals]) ?? false
    case .anyWhole(let more): more & 1 == 1
    case .fraction(let digits, let written, let isNegative):
      written > 0
        && range(isNegative: isNegative)?.contains(Int128(digits) * Self.powers[decimals - written]) ?? false
    case .anyFraction(let written): written > 0
    }
  }

  private static let powers = (0...19).map { exponent in
    (0..<exponent).reduce(Int128(1)) { power, _ in power * 10 }
  }

  /// The most digits before the point.
  private var wholeDigits: Int { decimals == 0 ? 19 : 15 - decimals }

  /// The bounds of the numbers of this sign, without the sign; nil where there are none. Minus zero is not written.
  private func range(isNegative: Bool) -> ClosedRange<Int128>? {
    let (least, most) = (Int128(least), Int128(most))
    if isNegative { return least < 0 ? max(1, -most)...(-least) : nil }
    return most >= 0 ? max(0, least)...most : nil
  }

  /// How many of a set of numbers lie in the range.
  private enum Share { case none, some, all }

  /// The share of the numbers that begin with these digits and have `more` others before the point.
  private func share(_ digits: Int128, more: Int, isNegative: Bool) -> Share {
    share(
      first: digits * Self.powers[more] * Self.powers[decimals], count: Self.powers[more + decimals],
      isNegative)
  }

  /// The share of `count` numbers from `first` on, in units of the last decimal.
  private func share(first: Int128, count: Int128, _ isNegative: Bool) -> Share {
    guard let range = range(isNegative: isNegative) else { return .none }
    let last = first + count - 1
    if last < range.lowerBound || first > range.upperBound { return .none }
    return range.contains(first) && range.contains(last) ? .all : .some
  }

  private func whole(_ digits: Int128, isNegative: Bool) -> Progress? {
    var more: UInt32 = 0
    var isMixed = false
    let largest = Self.powers[wholeDigits] - 1
    for count in 0...(digits == 0 ? 0 : wholeDigits) where digits <= largest / Self.powers[count] {
      switch share(digits, more: count, isNegative: isNegative) {
      case .none: break
      case .some:
        isMixed = true
        more |= 1 << UInt32(count)
      case .all: more |= 1 << UInt32(count)
      }
    }
    if more == 0 { return nil }
    return isMixed ? .whole(UInt64(digits), isNegative: isNegative) : .anyWhole(more)
  }

  private func fraction(_ digits: Int128, decimals written: Int, isNegative: Bool) -> Progress? {
    let unit = Self.powers[decimals - written]
    switch share(first: digits * unit, count: unit, isNegative) {
    case .none: return nil
    case .some: return .fraction(UInt64(digits), decimals: written, isNegative: isNegative)
    case .all: return .anyFraction(written)
    }
  }

  /// The fewest bytes that complete it to a number of the range; nil where none do.
  func completion(of progress: Progress) -> [UInt8]? {
    // Short numbers first: all texts of one more byte, then of two more, and so on. They lead to few states.
    var texts: [(state: Progress, text: [UInt8])] = [(progress, [])]
    var seen: Set<Progress> = [progress]
    while !texts.isEmpty {
      if let whole = texts.first(where: { isWhole($0.state) }) { return whole.text }
      var longer: [(state: Progress, text: [UInt8])] = []
      for (state, text) in texts {
        for byte in Array("0123456789.-".utf8) {
          if let next = after(byte, state), seen.insert(next).inserted {
            longer.append((next, text + [byte]))
          }
        }
      }
      texts = longer
    }
    return nil
  }
}
