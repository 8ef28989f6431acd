/// Says when a scene is another one than that which was answered last, and stands still.
package struct ChangeWatch {
  /// Frames that must agree one with the next after a change, before it counts.
  package var settlingFrames: Int
  private var answered: LocalPattern?
  private var last: LocalPattern?
  /// What one frame differs by from the next.
  private var noise: Float = 0
  private var agreeing = 0

  package init(settlingFrames: Int = 2) { self.settlingFrames = settlingFrames }

  /// Looks at the next frame.
  ///
  /// - Returns: whether it is to be answered: it is changed against the last answered one and settled, or is the first one
  ///   that is settled.
  package mutating func look(_ pattern: LocalPattern) -> Bool {
    if let last, let step = Change(from: last, to: pattern) {
      // Followed slowly: what one frame differs by says little. Followed also where something has changed, which the middle
      // block does not show: a camera with much noise would never settle otherwise.
      noise += (step.middle - noise) / 8
      agreeing = step.isChange(noise: noise) ? 1 : agreeing + 1
    } else {
      agreeing = 1
    }
    last = pattern
    guard agreeing >= settlingFrames else { return false }
    guard let answered, let change = Change(from: answered, to: pattern) else { return true }
    return change.isChange(noise: noise)
  }

  /// A frame that was looked at is answered.
  package mutating func answer(_ pattern: LocalPattern) { answered = pattern }

  /// What was seen last is no longer to be compared with: the camera saw nothing in between.
  package mutating func interrupt() {
    last = nil
    agreeing = 0
  }
}
