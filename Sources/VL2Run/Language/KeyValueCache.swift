import Foundation
import VL2Quant

/// What attention keeps of earlier positions, for all layers of one conversation.
///
/// Address space is reserved for the whole context at once and zero-filled by the kernel as it is touched, so
/// that a short conversation takes little memory and no copy is ever made.
package final class KeyValueCache {
  /// Positions that fit.
  package let capacity: Int
  /// Positions in use.
  package private(set) var length = 0

  private let base: UnsafeMutableRawPointer
  private let bytes: Int
  private let layerStride: Int

  /// - Parameters:
  ///   - floatsPerLayer: what one layer's attention asks for (`Attention.cacheFloats(capacity:)`).
  /// - Throws: `MemoryError` where the address space is refused.
  package init(layers: Int, floatsPerLayer: Int, capacity: Int) throws {
    self.capacity = capacity
    layerStride = (floatsPerLayer + 15) / 16 * 16
    bytes = max(1, layers * layerStride * MemoryLayout<Float>.stride)
    guard
      let memory = mmap(
        nil, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
      memory != MAP_FAILED
    else { throw MemoryError(bytes: bytes) }
    base = memory
  }

  deinit { munmap(base, bytes) }

  /// The memory of one layer, 64-byte aligned.
  package func layer(_ index: Int) -> UnsafeMutablePointer<Float> {
    base.assumingMemoryBound(to: Float.self) + index * layerStride
  }

  /// Counts positions that every layer has written.
  package func advance(by count: Int) {
    precondition(length + count <= capacity)
    length += count
  }

  /// Forgets all positions from `length` on.
  package func truncate(to length: Int) {
    precondition(length <= self.length)
    self.length = length
  }
}

/// The system refused memory.
public struct MemoryError: ReportableError {
  public let bytes: Int
  public var exitStatus: ExitStatus { .unavailable }
  public var description: String {
    "the conversation's memory of \(bytes >> 20) MiB was refused by the system: close other programs or ask with fewer pictures"
  }
}
