import VL2Base

/// Reads the shards of a checkpoint from their beginnings to their ends: hashes them, and makes sections of what arrives.
final class ShardReading {
  private let checkpoint: Checkpoint
  private let threads: Int
  /// Called often, on any thread. Throwing from it cancels the work.
  private let check: @Sendable () throws -> Void
  private var hashes: [SHA256]
  /// For each shard, the bytes that are hashed.
  private(set) var reached: [Int]

  /// Bytes that were read, and the error of what was made of them.
  private struct Arrival: Sendable {
    var bytes: [UInt8]
    var error = CodeError()
  }

  /// Bytes that may be read ahead.
  private static let readAhead = 64 << 20
  private static let pieceBytes = 4 << 20

  init(_ checkpoint: Checkpoint, threads: Int, check: @escaping @Sendable () throws -> Void) {
    self.checkpoint = checkpoint
    self.threads = threads
    self.check = check
    hashes = checkpoint.shards.map { _ in SHA256() }
    reached = checkpoint.shards.map { _ in 0 }
  }

  /// Bytes of all shards that are not hashed yet.
  var bytesLeft: Int {
    zip(checkpoint.shards, reached).reduce(0) { $0 + $1.0.source.file.length - $1.1 }
  }

  /// Reads and hashes what an earlier run had read, and holds it against that.
  ///
  /// - Parameters:
  ///   - beginnings: shards with the bytes that were read and their hash.
  ///   - progress: receives the bytes that were read since the last call.
  /// - Returns: the name of a shard that holds something else now; nil if none does.
  /// - Throws: `InputError`, and what `check` throws.
  func changed(since beginnings: [SourceFile], progress: (Int, String) -> Void) throws -> String? {
    for beginning in beginnings {
      guard let shard = checkpoint.shards.firstIndex(where: { $0.source.name == beginning.name }),
        beginning.bytes <= checkpoint.shards[shard].source.file.length
      else { return beginning.name }
      let starts = Array(stride(from: 0, to: beginning.bytes, by: Self.pieceBytes))
      try hash(
        starts.map { start in
          ReadingOrder.Piece(shard: shard, range: start..<min(beginning.bytes, start + Self.pieceBytes))
        }, progress: progress)
      if hashes[shard].soFar() != beginning.sha256 { return beginning.name }
    }
    return nil
  }

  private func hash(_ pieces: [ReadingOrder.Piece], progress: (Int, String) -> Void) throws {
    let files = checkpoint.shards.map(\.source.file)
    let work = OrderedWork(threads: threads, budget: Self.readAhead)
    try work.run(costs: pieces.map(\.range.count)) { [check] index in
      try check()
      return try Self.bytes(pieces[index], of: files)
    } finish: { index, bytes in
      take(bytes, pieces[index])
      progress(bytes.count, "hashing " + checkpoint.shards[pieces[index].shard].source.name)
    }
  }

  /// Reads what is left, once, and makes sections of it.
  ///
  /// - Parameters:
  ///   - order: what is to be read from where it was reached.
  ///   - plans: all sections.
  ///   - weights: encodes them.
  ///   - passed: called at the end of each shard and before each section that is complete, with the shard up to there.
  ///   - complete: takes each section when its last piece was read.
  ///   - progress: receives the bytes that were read since the last call.
  /// - Throws: `InputError`, `CheckpointError.notFinite`, and what the closures throw.
  func read(
    _ order: ReadingOrder, plans: [SectionPlan], weights: CheckpointWeights,
    passed: (SourceFile) throws -> Void, complete: (Int, OpenSection) throws -> Void,
    progress: (Int, String) -> Void
  ) throws {
    let files = checkpoint.shards.map(\.source.file)
    var counts: [Int: Int] = [:]
    for piece in order.pieces { if let use = piece.use { counts[use.section, default: 0] += 1 } }
    let open = OpenSections(plans, pieces: counts)
    let work = OrderedWork(threads: threads, budget: Self.readAhead)
    try work.run(costs: order.pieces.map(\.range.count)) { [check] index in
      try check()
      let piece = order.pieces[index]
      let bytes = try Self.bytes(piece, of: files)
      guard let use = piece.use else { return Arrival(bytes: bytes) }
      let section = open.section(use.section)
      let error = try bytes.withUnsafeBytes {
        try weights.encode($0, section.plan.tensors[use.tensor], rows: use.rows, to: section.bytes)
      }
      section.endPiece()
      return Arrival(bytes: bytes, error: error)
    } finish: { index, arrival in
      let piece = order.pieces[index]
      let shard = checkpoint.shards[piece.shard].source
      take(arrival.bytes, piece)
      if reached[piece.shard] == shard.file.length { try passed(soFar(piece.shard)) }
      var label = shard.name
      if let use = piece.use {
        let section = open.section(use.section)
        section.errors[use.tensor].append(arrival.error)
        label = section.plan.name
        if order.lastPieces[use.section] == index {
          if reached[piece.shard] < shard.file.length { try passed(soFar(piece.shard)) }
          try complete(use.section, section)
          open.close(use.section)
        }
      }
      progress(arrival.bytes.count, label)
    }
  }

  private func take(_ bytes: [UInt8], _ piece: ReadingOrder.Piece) {
    bytes.withUnsafeBytes { hashes[piece.shard].append($0) }
    reached[piece.shard] = piece.range.upperBound
  }

  /// A shard up to where it was read.
  private func soFar(_ shard: Int) -> SourceFile {
    SourceFile(
      name: checkpoint.shards[shard].source.name, base: false, bytes: reached[shard],
      sha256: hashes[shard].soFar())
  }

  /// The shards with their hashes; they must have been read to their ends.
  var files: [SourceFile] { checkpoint.shards.indices.map(soFar) }

  private static func bytes(_ piece: ReadingOrder.Piece, of files: [InputFile]) throws -> [UInt8] {
    let bytes = try files[piece.shard].bytes(piece.range)
    files[piece.shard].release(piece.range)
    return bytes
  }
}
