import VL2Quant
import VL2Run

/// How fast this machine's threads can read memory-mapped weights. It limits writing, which uses each weight
/// once.
struct ReadSpeed {
  private typealias Wide = SIMD8<UInt64>

  /// Large enough that handing out pieces costs nothing, small enough that all threads end together.
  private static let pieceBytes = 64 << 10

  private let pieces: [UnsafeRawBufferPointer]
  private let pool: WorkerPool
  /// Bytes that one pass reads.
  let bytes: Int

  /// - Throws: `PackedFileError` if a section cannot be read.
  init(_ file: PackedFile, _ weights: TokenWeights, pool: WorkerPool) throws {
    self.pool = pool
    var pieces: [UnsafeRawBufferPointer] = []
    for name in weights.sections {
      let section = try file.sectionBytes(name)
      for start in stride(from: 0, to: section.count, by: Self.pieceBytes) {
        let end = min(section.count, start + Self.pieceBytes)
        pieces.append(UnsafeRawBufferPointer(rebasing: section[start..<end]))
      }
    }
    self.pieces = pieces
    bytes = pieces.reduce(0) { $0 + $1.count / MemoryLayout<Wide>.size * MemoryLayout<Wide>.size }
  }

  /// Reads everything once. Each thread reads its own part in address order, as products do.
  ///
  /// - Returns: the sum of what was read, so that the compiler cannot leave out the reading.
  @inline(never) func pass() -> UInt64 {
    // A cache line for each thread.
    let sums = UnsafeMutablePointer<Wide>.allocate(capacity: pool.threads)
    sums.initialize(repeating: Wide(), count: pool.threads)
    defer { sums.deallocate() }
    pool.share(pieces.count, inRangesOf: 1) { range, worker in
      for piece in range { sums[worker] &+= Self.sum(pieces[piece]) }
    }
    return (0..<pool.threads).reduce(0) { $0 &+ sums[$1].wrappedSum() }
  }

  /// Sections begin at multiples of 64 bytes, and so do the pieces.
  private static func sum(_ bytes: UnsafeRawBufferPointer) -> Wide {
    guard let base = bytes.baseAddress else { return Wide() }
    let count = bytes.count / MemoryLayout<Wide>.size
    let lines = base.assumingMemoryBound(to: Wide.self)
    var (a, b, c, d) = (Wide(), Wide(), Wide(), Wide())
    var i = 0
    while i + 4 <= count {
      a &+= lines[i]
      b &+= lines[i + 1]
      c &+= lines[i + 2]
      d &+= lines[i + 3]
      i += 4
    }
    while i < count {
      a &+= lines[i]
      i += 1
    }
    return (a &+ b) &+ (c &+ d)
  }
}
