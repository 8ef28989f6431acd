import Glibc

/// A small picture without the light that falls on it: of each cell, how much it differs from what is around.
package struct LocalPattern: Sendable {
  let small: SmallPicture
  /// Three channels of logarithms: brightness, red to green, blue to green. Light that falls on a place multiplies what is
  /// seen there, so in logarithms it adds something; large-scale light then goes with what is around. [height][width].
  let channels: [[Float]]
  /// The mean brightness around each cell. [height][width].
  private let light: [Float]

  package init(_ small: SmallPicture) {
    let surroundings = Surroundings(small)
    self.small = small
    channels = Self.channels(small, surroundings) { _ in 1 }
    light = surroundings.means(small.brightness)
  }

  private init(_ small: SmallPicture, _ channels: [[Float]], _ light: [Float]) {
    (self.small, self.channels, self.light) = (small, channels, light)
  }

  /// Two patterns as they would be if each place had the lesser of the two lights.
  ///
  /// What is dark loses its pattern in the noise, and so in the logarithm (`dark`): by night a black thing is hardly another
  /// color than a grey one. Seen in the same light, both have lost the same.
  static func inEqualLight(_ one: LocalPattern, _ other: LocalPattern) -> (LocalPattern, LocalPattern) {
    let ratios = zip(one.light, other.light).map { ($1 + 1) / ($0 + 1) }
    // Of so little nothing can be told, and most frames are in the light of the one before.
    guard ratios.contains(where: { $0 < 0.9 || $0 > 1.1 }) else { return (one, other) }
    return (one.dimmed { min(1, ratios[$0]) }, other.dimmed { min(1, 1 / ratios[$0]) })
  }

  private func dimmed(by share: (Int) -> Float) -> LocalPattern {
    LocalPattern(small, Self.channels(small, Surroundings(small), share), light)
  }

  private static func channels(
    _ small: SmallPicture, _ surroundings: Surroundings, _ share: (Int) -> Float
  ) -> [[Float]] {
    var logarithms = [[Float]](
      repeating: [Float](repeating: 0, count: small.width * small.height), count: 3)
    for index in 0..<small.width * small.height {
      let share = share(index)
      let middle = logf(share * small.colors[1][index] + darkColor)
      logarithms[0][index] = logf(share * small.brightness[index] + dark)
      logarithms[1][index] = logf(share * small.colors[0][index] + darkColor) - middle
      logarithms[2][index] = logf(share * small.colors[2][index] + darkColor) - middle
    }
    return logarithms.map(surroundings.difference)
  }

  /// Added before the logarithm, so that the noise of what is nearly black does not look like a change.
  private static let dark: Float = 12
  private static let darkColor: Float = 24
}
