import Glibc
import SIMDKernels
import VL2Quant
import VL2Run

/// How fast this machine's threads can read memory-mapped weights. It limits writing, which uses each weight
/// once.
///
/// Which way of reading is fastest differs between processors: kernels ask for what they will read some KiB later, and a
/// loop that does not is slower than they are. So several ways are tried, with all threads, with two and with one.
struct ReadSpeed {
  /// A way of reading.
  struct Way {
    fileprivate var reader: vl2_reader
    /// Threads that read.
    var threads: Int

    /// For example "in order, 2 threads".
    var name: String {
      String(cString: reader.name) + ", \(threads) \(threads == 1 ? "thread" : "threads")"
    }
  }

  /// Large enough that handing out pieces costs nothing, small enough that all threads end together.
  private static let pieceBytes = 256 << 10
  /// What every way reads a multiple of.
  private static let unit = 1024

  private let pieces: [UnsafeRawBufferPointer]
  private let pool: WorkerPool
  /// Bytes that one pass reads.
  let bytes: Int
  /// The fastest way that was found.
  private(set) var way: Way

  /// Tries all ways.
  ///
  /// - Parameter seconds: the most that trying may take; every way is tried once in any case.
  /// - Throws: `PackedFileError` if a section cannot be read.
  init(_ file: PackedFile, _ weights: TokenWeights, pool: WorkerPool, seconds: Double = 20) throws {
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
    bytes = pieces.reduce(0) { $0 + $1.count / Self.unit * Self.unit }
    let ways = Self.ways(threads: pool.threads)
    way = ways[0]
    // The first pass faults pages in.
    _ = pass()
    let end = ContinuousClock.now + .seconds(seconds)
    var best = [Double](repeating: .infinity, count: ways.count)
    for round in 0..<3 {
      for (index, way) in ways.enumerated() where round == 0 || ContinuousClock.now < end {
        self.way = way
        best[index] = min(best[index], VL2Measure.seconds { _ = pass() })
      }
    }
    way = ways[best.indices.min { best[$0] < best[$1] } ?? 0]
  }

  /// All ways, with all threads, two and one.
  static func ways(threads: Int) -> [Way] {
    var counts = [threads]
    for fewer in [2, 1] where fewer < threads { counts.append(fewer) }
    var ways: [Way] = []
    for count in counts {
      var index = 0
      while let reader = vl2_reader_at(index) {
        ways.append(Way(reader: reader.pointee, threads: count))
        index += 1
      }
    }
    return ways
  }

  /// Reads everything once in the fastest way. Each thread reads its own part in address order, as products do.
  ///
  /// - Returns: the sum of what was read, so that the compiler cannot leave out the reading.
  @inline(never) func pass() -> UInt64 {
    // A cache line for each thread.
    let step = 8
    let sums = UnsafeMutablePointer<UInt64>.allocate(capacity: pool.threads * step)
    sums.initialize(repeating: 0, count: pool.threads * step)
    defer { sums.deallocate() }
    let crew = pool.crew
    pool.crew = way.threads
    defer { pool.crew = crew }
    pool.share(pieces.count, inRangesOf: 1) { range, worker in
      for piece in range {
        guard let base = pieces[piece].baseAddress else { continue }
        sums[worker * step] &+= way.reader.read(
          base.assumingMemoryBound(to: UInt8.self), pieces[piece].count / Self.unit * Self.unit)
      }
    }
    return (0..<pool.threads).reduce(0) { $0 &+ sums[$1 * step] }
  }
}
