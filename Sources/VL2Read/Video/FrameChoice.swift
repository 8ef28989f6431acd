import VL2Frames
import VL2Run

/// Chooses among pictures that come one after the other, however many, those at which something has changed.
///
/// A few more than wanted are held. Where one more comes, that one goes which differs least from the one before it; among
/// equals the one whose neighbours are nearest, so that those of a video in which nothing happens are spread evenly.
package struct FrameChoice {
  private struct Entry {
    var sample: VideoFrames.Sample
    var pattern: LocalPattern
    /// How much differs from the entry before; 0 for nothing that is more than noise.
    var change: Float
  }

  private let count: Int
  private var entries: [Entry] = []

  /// - Parameter count: how many to choose.
  package init(_ count: Int) { self.count = max(1, count) }

  /// Looks at the next picture.
  ///
  /// - Throws: `PictureError` for one that is broken.
  package mutating func add(_ sample: VideoFrames.Sample) throws {
    let picture = try Frame(.encoded(sample.picture)).picture()
    let pattern = LocalPattern(SmallPicture(picture))
    let change = entries.last.map { Self.change(from: $0.pattern, to: pattern) } ?? .infinity
    entries.append(Entry(sample: sample, pattern: pattern, change: change))
    // Some to spare, as what seems little now may be much against what stays.
    if entries.count > 3 * count + 8 { dropLeast() }
  }

  /// The chosen ones in their order.
  package mutating func chosen() -> [VideoFrames.Sample] {
    while entries.count > count { dropLeast() }
    return entries.map(\.sample)
  }

  private mutating func dropLeast() {
    guard entries.count > 1 else { return }
    func room(_ index: Int) -> Double {
      let end = index + 1 < entries.count ? entries[index + 1].sample.seconds : .infinity
      return end - entries[index - 1].sample.seconds
    }
    var least = 1
    for index in entries.indices.dropFirst(2) {
      let (one, other) = (entries[index], entries[least])
      if one.change < other.change || one.change == other.change && room(index) < room(least) {
        least = index
      }
    }
    entries.remove(at: least)
    if least < entries.count {
      entries[least].change = Self.change(from: entries[least - 1].pattern, to: entries[least].pattern)
    }
  }

  private static func change(from before: LocalPattern, to now: LocalPattern) -> Float {
    guard let change = Change(from: before, to: now) else { return .infinity }
    return change.isChange(noise: 0) ? change.blocks.max() ?? 0 : 0
  }
}
