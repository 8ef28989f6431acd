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
    var colours: Colours
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
    entries.append(
      Entry(
        sample: sample, pattern: LocalPattern(SmallPicture(picture)), colours: Colours(picture),
        change: .infinity))
    if entries.count > 1 { compare(entries.count - 1) }
    // Some to spare, as what seems little now may be much against what stays.
    if entries.count > 3 * count + 8 { dropLeast() }
  }

  /// The chosen ones in their order.
  package mutating func chosen() -> [VideoFrames.Sample] {
    while entries.count > count { dropLeast(isOver: true) }
    return entries.map(\.sample)
  }

  /// - Parameter isOver: whether no more will come; until then the last one stays.
  private mutating func dropLeast(isOver: Bool = false) {
    guard entries.count > 1 else { return }
    func room(_ index: Int) -> Double {
      let begin = entries[index - 1].sample.seconds
      if index + 1 < entries.count { return entries[index + 1].sample.seconds - begin }
      // As if the next one came after as long.
      return isOver ? 2 * (entries[index].sample.seconds - begin) : .infinity
    }
    var least = 1
    for index in entries.indices.dropFirst(2) {
      let (one, other) = (entries[index], entries[least])
      if one.change < other.change || one.change == other.change && room(index) < room(least) {
        least = index
      }
    }
    entries.remove(at: least)
    if least < entries.count { compare(least) }
  }

  /// Compares an entry with the one before it.
  private mutating func compare(_ index: Int) {
    let (before, now) = (entries[index - 1], entries[index])
    guard let change = Change(from: before.pattern, to: now.pattern) else {
      entries[index].change = .infinity
      return
    }
    let pattern = change.isChange(noise: 0) ? change.blocks.max() ?? 0 : 0
    entries[index].change = max(pattern, now.colours.difference(from: before.colours))
  }
}

/// Colours of a picture's parts. Patterns leave out what light of a large scale could do, but a film may well go from a red
/// picture to a blue one.
private struct Colours {
  private static let side = 8
  /// Of each part three means, 0...1.
  private var means = [Float](repeating: 0, count: side * side * 3)

  init(_ picture: Picture) {
    let side = Self.side
    for row in 0..<side {
      for column in 0..<side {
        let (left, right) = (column * picture.width / side, max(1, (column + 1) * picture.width / side))
        let (top, bottom) = (row * picture.height / side, max(1, (row + 1) * picture.height / side))
        // A few pixels of each part say enough of its colour.
        let (across, down) = (max(1, (right - left) / 8), max(1, (bottom - top) / 8))
        var (sums, count): ([Int], Int) = ([0, 0, 0], 0)
        for y in stride(from: top, to: bottom, by: down) {
          for x in stride(from: left, to: right, by: across) {
            for channel in 0..<3 {
              sums[channel] += Int(picture.pixels[(y * picture.width + x) * 3 + channel])
            }
            count += 1
          }
        }
        for channel in 0..<3 {
          means[(row * side + column) * 3 + channel] = Float(sums[channel]) / Float(255 * max(1, count))
        }
      }
    }
  }

  /// How much they differ on average; 0 for what exposure does from one picture to the next.
  func difference(from other: Colours) -> Float {
    let sum = zip(means, other.means).reduce(Float(0)) { $0 + abs($1.0 - $1.1) }
    let mean = sum / Float(means.count)
    return mean > 0.08 ? mean : 0
  }
}
