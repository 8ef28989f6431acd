import SIMDKernels
import VL2Run

/// The most operations a second that the threads of a pool can do: multiply-adds in registers and nothing
/// else. Each counts as two operations.
struct PeakSpeed {
  /// int8 products added up in int32, with the instructions of the kernels in use.
  private(set) var int8 = 0.0
  /// float32, with fused multiply-adds if the instruction set has them.
  private(set) var float32 = 0.0

  private let pool: WorkerPool
  private let kernels: vl2_kernels
  private var roundsOfInt8 = 1 << 14
  private var roundsOfFloat32 = 1 << 14

  /// Measures nothing yet.
  init(pool: WorkerPool, kernels: vl2_kernels = vl2_kernels_active().pointee) {
    self.pool = pool
    self.kernels = kernels
  }

  /// Measures both once more, a few hundredths of a second each, and keeps the larger values.
  mutating func measure() {
    int8 = max(int8, Self.once(kernels.peak_i8, &roundsOfInt8, pool))
    float32 = max(float32, Self.once(kernels.peak_f32, &roundsOfFloat32, pool))
  }

  /// Seconds that the work takes at these speeds.
  func seconds(_ work: ModelWork.Count) -> Double {
    2 * (work.weights / int8 + work.attention / float32)
  }

  private static func once(
    _ loop: @convention(c) (Int) -> UInt64, _ rounds: inout Int, _ pool: WorkerPool
  ) -> Double {
    while true {
      let count = rounds
      let counts = UnsafeMutablePointer<UInt64>.allocate(capacity: pool.threads)
      defer { counts.deallocate() }
      counts.initialize(repeating: 0, count: pool.threads)
      // More pieces than threads, so that a thread that is kept waiting does not hold up the rest.
      let took = VL2Measure.seconds {
        pool.run(pool.threads * 4) { _, worker in counts[worker] += loop(count) }
      }
      if took >= 0.02 || rounds >= 1 << 34 {
        return 2 * Double((0..<pool.threads).reduce(0) { $0 + counts[$1] }) / max(took, 1e-9)
      }
      rounds *= 2
    }
  }
}
