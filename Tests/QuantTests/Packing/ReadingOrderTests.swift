import Foundation
import TestModels
import TestSupport
import Testing
import VL2Quant

/// Shards are read once, in the order of their bytes, whatever that is; the packed file is the same.
@Suite struct ReadingOrderTests {
  private func order(_ folder: String, room: Int = ReadingOrder.roomForSections) throws -> (
    ReadingOrder, [SectionPlan]
  ) {
    let checkpoint = try Checkpoint(folder: folder)
    let plans = try ModelLayout(checkpoint.config).sections.map {
      try SectionPlan($0, recipe: Recipe(matrices: .q4))
    }
    return (try ReadingOrder(checkpoint, plans: plans, room: room), plans)
  }

  /// Every byte of every shard, one after the other.
  private func expectWhole(_ order: ReadingOrder, _ folder: String, shards: Int) throws {
    let pieces = order.pieces
    #expect(pieces.map(\.shard) == pieces.map(\.shard).sorted())
    for shard in 0..<shards {
      let ranges = pieces.filter { $0.shard == shard }.map(\.range)
      let length = try bytes(of: folder + "/model-\(shard + 1)-of-\(shards).safetensors").count
      #expect(ranges.first?.lowerBound == 0 && ranges.last?.upperBound == length)
      #expect(zip(ranges, ranges.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound })
    }
  }

  /// As safetensors writes them: sorted by name, so that experts and layers 1, 10, 11, 2 lie mixed; backwards; and drawn.
  @Test(arguments: 0..<3) func anyOrderGivesTheSameFile(_ kind: Int) throws {
    var copy = try CheckpointCopy()
    switch kind {
    case 0: copy.tensors.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    case 1: copy.tensors.sort { $1.name.utf8.lexicographicallyPrecedes($0.name.utf8) }
    default:
      var random = SplitMix64(seed: 19)
      copy.tensors.shuffle(using: &random)
    }
    try withTemporaryFolder { folder in
      for shards in [1, 3] {
        let source = folder + "/\(shards)"
        try copy.write(to: source, shards: shards)
        let (order, plans) = try order(source)
        try expectWhole(order, source, shards: shards)
        // All but the two of the tokeniser.
        #expect(order.lastPieces.count == plans.count - 2)
        #expect(
          try packed(source, to: folder + "/m.vl2q").manifest.sections == PackedModels.sections("nano-mha"))
      }
    }
  }

  /// Where there is no room for the sections that are begun, some are left out; all bytes are still hashed.
  @Test func littleRoom() throws {
    var copy = try CheckpointCopy()
    copy.tensors.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
    try withTemporaryFolder { folder in
      try copy.write(to: folder)
      let (_, plans) = try order(folder)
      let largest = plans.map(\.length).max() ?? 0
      for room in [0, largest / 2, largest] {
        let (order, _) = try order(folder, room: room)
        try expectWhole(order, folder, shards: 1)
        #expect(order.lastPieces.isEmpty == (room == 0) && order.lastPieces.count < plans.count - 2)
        var (open, used): (Set<Int>, Int) = ([], 0)
        for (index, piece) in order.pieces.enumerated() {
          guard let section = piece.use?.section else { continue }
          if open.insert(section).inserted { used += plans[section].length }
          #expect(used <= room)
          if order.lastPieces[section] == index { used -= plans[section].length }
        }
      }
    }
  }

  /// A tensor that no forward pass uses is hashed with the rest.
  @Test func tensorsThatAreLeftOut() throws {
    var copy = try CheckpointCopy()
    copy.tensors.insert(
      .init(
        name: "vision.attn_pool.other", type: "I64", shape: [5], bytes: [UInt8](repeating: 1, count: 40)),
      at: 7)
    try withTemporaryFolder { folder in
      try copy.write(to: folder + "/ck")
      try expectWhole(order(folder + "/ck").0, folder + "/ck", shards: 1)
      let manifest = try packed(folder + "/ck", to: folder + "/m.vl2q").manifest
      #expect(manifest.origin.leftOut.contains("vision.attn_pool.other"))
      #expect(try manifest.sections == PackedModels.sections("nano-mha"))
    }
  }
}
