import VL2Base

/// Bounds that a schema sets to lengths and numbers.
struct SchemaBounds {
  private let keywords: SchemaCompiler.Keywords
  private let file: String
  private let path: String

  /// Digits after the point of a number.
  static let decimals = 6

  /// The largest length that is told apart from others: no answer is longer.
  private static let longest = 1_000_000

  init(_ keywords: SchemaCompiler.Keywords, file: String, path: String) {
    (self.keywords, self.file, self.path) = (keywords, file, path)
  }

  private func malformed(_ key: String, _ problem: String) -> SchemaError {
    .malformed(file: file, path: "\(path)/\(key)", problem: problem)
  }

  // MARK: lengths

  func counts(_ least: String, _ most: String) throws -> (Int, Int?) {
    func count(_ key: String) throws -> Int? {
      guard let value = keywords[key] else { return nil }
      guard case .integer(let number) = value, number >= 0 else {
        throw malformed(key, "\(value.kind) is no whole number from 0 on")
      }
      return number
    }
    let (low, high) = (try count(least) ?? 0, try count(most))
    if let high, high < low { throw malformed(most, "\(high) is below \(least)") }
    if low > Self.longest {
      throw SchemaError.tooLarge(
        file: file, path: "\(path)/\(least)", problem: "\(low) is above \(Self.longest)")
    }
    return (low, high.map { min($0, Self.longest) })
  }

  // MARK: numbers

  private enum Bound {
    case integer(Int)
    case real(Double)
  }

  private func bound(_ key: String) throws -> Bound? {
    guard let value = keywords[key] else { return nil }
    if case .integer(let number) = value { return .integer(number) }
    guard let number = value.number else { throw malformed(key, "\(value.kind) is no number") }
    return .real(number)
  }

  func integers() throws -> NumberRange {
    try range(decimals: 0) { bound, isLower, isExcluded in
      switch bound {
      case .integer(let number): return Int128(number) + (isExcluded ? isLower ? 1 : -1 : 0)
      case .real(let number):
        let whole = number.rounded(isLower ? .up : .down)
        let step = isExcluded && whole == number ? isLower ? 1 : -1 : 0
        // Far beyond 64 bits, and still within 128.
        return Int128(min(max(whole, -0x1p100), 0x1p100)) + Int128(step)
      }
    }
  }

  func numbers() throws -> NumberRange {
    let scale = (0..<Self.decimals).reduce(1) { scale, _ in scale * 10 }
    return try range(decimals: Self.decimals) { bound, isLower, isExcluded in
      switch bound {
      case .integer(let number):
        return Int128(number) * Int128(scale) + (isExcluded ? isLower ? 1 : -1 : 0)
      case .real(let number):
        let limit = Double(NumberRange.limits(decimals: Self.decimals).upperBound)
        let near = (number * Double(scale)).rounded()
        if abs(near) > limit { return near > 0 ? Int128(limit) + 1 : -Int128(limit) - 1 }
        // The decimal nearest to the bound, or its neighbour where that one lies outside.
        let inside = [near - 1, near, near + 1].filter { candidate in
          let written = candidate / Double(scale)
          return isLower
            ? (isExcluded ? written > number : written >= number)
            : (isExcluded ? written < number : written <= number)
        }
        return (isLower ? inside.min() : inside.max()).map { Int128($0) } ?? Int128(near)
      }
    }
  }

  /// - Parameter nearest: the number nearest to a bound that the bound allows, times 10^decimals. An excluded bound does
  ///   not allow itself.
  private func range(
    decimals: Int, nearest: (_ bound: Bound, _ isLower: Bool, _ isExcluded: Bool) -> Int128
  ) throws -> NumberRange {
    let limits = NumberRange.limits(decimals: decimals)
    func tightest(isLower: Bool) throws -> Int {
      var found = isLower ? limits.lowerBound : limits.upperBound
      for (key, isExcluded) in isLower
        ? [("minimum", false), ("exclusiveMinimum", true)] : [("maximum", false), ("exclusiveMaximum", true)]
      {
        guard let bound = try bound(key) else { continue }
        let number = nearest(bound, isLower, isExcluded)
        // A bound that is farther than any number that is written changes nothing.
        if isLower ? number < Int128(limits.lowerBound) : number > Int128(limits.upperBound) { continue }
        guard let number = Int(exactly: number), limits.contains(number) else {
          throw malformed(
            key, "no number of up to \(decimals == 0 ? "64 bits" : "15 digits") lies within")
        }
        found = isLower ? max(found, number) : min(found, number)
      }
      return found
    }
    let (low, high) = (try tightest(isLower: true), try tightest(isLower: false))
    guard low <= high else {
      throw SchemaError.malformed(file: file, path: path, problem: "no number lies between the bounds")
    }
    return NumberRange(decimals: decimals, least: low, most: high)
  }
}
