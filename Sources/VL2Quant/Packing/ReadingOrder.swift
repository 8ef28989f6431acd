import VL2Base

/// The order in which a checkpoint's shards are read: each from its beginning to its end, once.
///
/// Sections are made of what arrives. Where the tensors of many sections lie mixed, not all of them can be in memory
/// together; those that do not fit are left out and have to be made by reading their tensors again.
package struct ReadingOrder: Sendable {
  /// Bytes that are read at once.
  package struct Piece: Sendable {
    /// Index of the shard.
    package var shard: Int
    /// Bytes from the beginning of the file.
    package var range: Range<Int>
    /// What is made of them; nil for bytes that are only hashed.
    package var use: Use?
  }

  /// Rows of a tensor.
  package struct Use: Sendable {
    /// Index of the section among all plans, and of the tensor in it.
    package var section: Int
    var tensor: Int
    /// As in `WeightExtent`; begins at a multiple of 16.
    var rows: Range<Int>
  }

  package private(set) var pieces: [Piece] = []
  /// The sections that are made while reading, each with the index of the last piece of it.
  package private(set) var lastPieces: [Int: Int] = [:]

  /// Weights in a piece: few enough that their float32 form stays in a core's cache.
  private static let weightsAtATime = 1 << 18
  /// Bytes that are only hashed are read so many at a time.
  private static let bytesAtATime = 4 << 20
  /// Bytes of sections that may be in memory, begun and not complete.
  package static let roomForSections = 1 << 30

  /// A tensor of a section and where it lies.
  private struct Place {
    var offset: Int
    var section: Int
    var tensor: Int
    var source: Checkpoint.Tensor
  }

  /// - Parameters:
  ///   - checkpoint: has all tensors of the plans.
  ///   - plans: all sections.
  ///   - made: indices of those that are not to be made.
  ///   - starts: for each shard, the byte where reading begins; nil for the beginnings.
  ///   - room: bytes of sections that may be begun and not complete; 0 for making none while reading.
  package init(
    _ checkpoint: Checkpoint, plans: [SectionPlan], made: Set<Int> = [], starts: [Int]? = nil,
    room: Int = roomForSections
  ) throws {
    let starts = starts ?? checkpoint.shards.map { _ in 0 }
    let places = try Self.places(checkpoint, plans, except: made)
    let streamed = Self.sectionsThatFit(places, plans: plans, starts: starts, room: room)
    for (shard, places) in places.enumerated() {
      let file = checkpoint.shards[shard].source.file
      var reached = starts[shard]
      for place in places where streamed.contains(place.section) {
        append(shard, reached..<place.offset)
        reached = append(shard, place, plans[place.section].tensors[place.tensor])
      }
      append(shard, reached..<max(reached, file.length))
    }
    for (index, piece) in pieces.enumerated() {
      if let section = piece.use?.section { lastPieces[section] = index }
    }
  }

  /// The tensors of each shard in the order of their bytes.
  private static func places(
    _ checkpoint: Checkpoint, _ plans: [SectionPlan], except made: Set<Int>
  ) throws -> [[Place]] {
    var places: [[Place]] = checkpoint.shards.map { _ in [] }
    let indices = Dictionary(
      uniqueKeysWithValues: checkpoint.shards.enumerated().map { ($1.source.file.path, $0) })
    for (section, plan) in plans.enumerated() where !made.contains(section) {
      for (index, tensor) in plan.tensors.enumerated() {
        let source = try checkpoint.tensor(tensor.name, shape: tensor.shape)
        guard let shard = indices[source.file.path] else { continue }
        places[shard].append(Place(offset: source.offset, section: section, tensor: index, source: source))
      }
    }
    return places.map { $0.sorted { $0.offset < $1.offset } }
  }

  /// The sections whose tensors all are still to be read, and for which there is room from the first of them to the last.
  private static func sectionsThatFit(
    _ places: [[Place]], plans: [SectionPlan], starts: [Int], room: Int
  ) -> Set<Int> {
    var left: [Int: Int] = [:]
    for place in places.joined() { left[place.section, default: 0] += 1 }
    var refused: Set<Int> = []
    for (shard, places) in places.enumerated() {
      for place in places where place.offset < starts[shard] { refused.insert(place.section) }
    }
    var fitting: Set<Int> = []
    var used = 0
    for place in places.joined() where !refused.contains(place.section) {
      let length = plans[place.section].length
      if !fitting.contains(place.section) {
        guard used + length <= room else {
          refused.insert(place.section)
          continue
        }
        fitting.insert(place.section)
        used += length
      }
      left[place.section, default: 0] -= 1
      if left[place.section] == 0 { used -= length }
    }
    return fitting
  }

  /// Adds bytes that are only hashed.
  private mutating func append(_ shard: Int, _ range: Range<Int>) {
    for start in stride(from: range.lowerBound, to: range.upperBound, by: Self.bytesAtATime) {
      let end = min(range.upperBound, start + Self.bytesAtATime)
      pieces.append(Piece(shard: shard, range: start..<end))
    }
  }

  /// Adds a tensor; returns where it ends.
  private mutating func append(_ shard: Int, _ place: Place, _ tensor: TensorEntry) -> Int {
    let extent = WeightExtent(tensor)
    let rowBytes = extent.columns * (place.source.type.weightBytes ?? 0)
    for rows in extent.ranges(ofWeights: Self.weightsAtATime) {
      let range = place.offset + rows.lowerBound * rowBytes..<place.offset + rows.upperBound * rowBytes
      pieces.append(
        Piece(
          shard: shard, range: range,
          use: Use(section: place.section, tensor: place.tensor, rows: rows)))
    }
    return place.offset + extent.rows * rowBytes
  }
}
