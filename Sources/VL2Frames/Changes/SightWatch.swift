/// What keeps a camera that gives frames from seeing.
package enum SightEvent: Sendable, Equatable {
  /// Frames have been the same for so many seconds, to the last bit: no scene is.
  case frozen(seconds: Double)
  /// It is dark, and nothing can be seen: the lens is covered, or the light is out.
  case dark
  /// Frames differ again, or something can be seen again.
  case back
}

/// Says when a camera stops seeing, and when it sees again.
package struct SightWatch {
  /// Seconds after which frames that stay the same are frozen; nil where a picture may stay as it is.
  private let frozenAfter: Double?
  private let darkFrames: Int
  private var digest: UInt64?
  private var sameSince = 0.0
  private var dark = 0
  private var trouble: SightEvent?

  /// - Parameter darkFrames: how many in a row make it dark.
  package init(frozenAfter: Double?, darkFrames: Int = 3) {
    self.frozenAfter = frozenAfter
    self.darkFrames = darkFrames
  }

  /// Whether what it gives is to be believed.
  package var isSeeing: Bool { trouble == nil && dark == 0 }

  /// Looks at the next frame.
  ///
  /// - Returns: what has changed, if anything.
  package mutating func look(_ small: SmallPicture, at time: FrameTime) -> SightEvent? {
    if small.digest != digest {
      digest = small.digest
      sameSince = time.steady
    }
    dark = small.isDark ? dark + 1 : 0
    let isFrozen = frozenAfter.map { time.steady - sameSince >= $0 } ?? false
    // A dark picture may well be the same for long.
    let now: SightEvent? =
      dark >= darkFrames ? .dark : isFrozen && dark == 0 ? .frozen(seconds: frozenAfter ?? 0) : nil
    if let now {
      guard trouble != now else { return nil }
      trouble = now
      return now
    }
    guard trouble != nil, dark == 0 else { return nil }
    trouble = nil
    return .back
  }
}
