/// The KV cache: what attention keeps of earlier positions, for all layers of one conversation.
///
/// Address space is reserved for the whole context at once, and the operating system fills pages with zeros
/// when they are first touched. So a short conversation takes little memory, and no copy is ever made.
package final class KeyValueCache {
  /// Positions that fit.
  package let capacity: Int
  /// Positions in use.
  package private(set) var length = 0

  private let memory: PageRegion
  private let layerStride: Int
  private let ledger: ByteLedger?
  /// The most positions that were ever in use: memory that was written once stays.
  private var reached = 0

  /// Bytes when all positions are in use.
  package var byteCount: Int { memory.bytes }

  /// Bytes that one more position takes.
  package var bytesPerPosition: Int { (memory.bytes + capacity - 1) / max(1, capacity) }

  /// Bytes that the cache takes: memory that was written once stays.
  package var usedBytes: Int { reached * bytesPerPosition }

  /// Bytes that positions up to `length` take in addition to those that were ever in use.
  package func growth(to length: Int) -> Int { max(0, length - reached) * bytesPerPosition }

  /// - Parameters:
  ///   - ledger: counts the bytes of positions in use.
  ///   - bytesPerLayer: what one layer's attention asks for (`Attention.cacheBytes(capacity:)`).
  /// - Throws: `MemoryError` where the address space is refused.
  package init(layers: Int, bytesPerLayer: Int, capacity: Int, ledger: ByteLedger? = nil) throws {
    self.ledger = ledger
    self.capacity = capacity
    layerStride = (bytesPerLayer + 63) / 64 * 64
    memory = try PageRegion(bytes: layers * layerStride)
  }

  deinit { ledger?.add(-reached * bytesPerPosition) }

  /// The memory of one layer, 64-byte aligned.
  package func layer(_ index: Int) -> UnsafeMutableRawPointer { memory.base + index * layerStride }

  /// Counts positions that every layer has written.
  package func advance(by count: Int) {
    precondition(length + count <= capacity)
    length += count
    ledger?.add(growth(to: length))
    reached = max(reached, length)
  }

  /// Forgets all positions from `length` on.
  package func truncate(to length: Int) {
    precondition(length <= self.length)
    self.length = length
  }
}
