import Glibc
import SystemSupport
import VL2Base
import VL2Quant

/// One section that is being read into memory. Only the queue uses its variables.
package final class SectionLoad {
  package let section: Int
  fileprivate let target: UnsafeMutableRawPointer
  fileprivate var isUrgent: Bool
  fileprivate var state = State.waiting

  fileprivate enum State {
    case waiting, reading
    case done
    case failed(any Error)
    /// Nobody wants it any more. A load that was `reading` is `cancelling` until the reader makes it `cancelled`.
    case cancelling, cancelled
  }

  fileprivate init(section: Int, target: UnsafeMutableRawPointer, isUrgent: Bool) {
    self.section = section
    self.target = target
    self.isUrgent = isUrgent
  }
}

/// A thread that reads sections into memory, urgent ones before prefetches. It reads in pieces, so that an
/// urgent load never waits for more than one piece of a prefetch to be read.
package final class ReadQueue: @unchecked Sendable {
  /// What was read so far.
  package struct Counts: Sendable {
    /// Stored bytes, those of cancelled loads too.
    package var bytes = 0
    package var loads = 0
    package var cancelled = 0
  }

  private static let urgentPiece = 2 << 20
  private static let prefetchPiece = 256 << 10

  private let file: PackedFile
  private let checks: Bool
  private let bytesPerSecond: Int?
  private let reader: SectionReader
  private let condition = Condition()
  private var urgent: [SectionLoad] = []
  private var prefetches: [SectionLoad] = []
  private var counts = Counts()
  private var isStopping = false
  private var isRunning = false
  /// When a reader held to `bytesPerSecond` may read again.
  private var nextRead = ContinuousClock.now
  /// Memory for stored bytes that have to be unpacked. The second one is for an urgent load between two
  /// pieces of a prefetch.
  private var staging = [UnsafeMutableRawBufferPointer](repeating: .init(start: nil, count: 0), count: 2)

  /// - Parameters:
  ///   - checks: whether a section's checksum is verified when the section is first read.
  ///   - bytesPerSecond: the limit to the speed of reading, to imitate a slow card.
  package init(_ file: PackedFile, checks: Bool, bytesPerSecond: Int?) {
    self.file = file
    self.checks = checks
    self.bytesPerSecond = bytesPerSecond
    reader = SectionReader(file)
  }

  /// Ends the thread, after the piece that it is reading; after that, no load may be waited for.
  package func stop() {
    condition.lock()
    isStopping = true
    urgent.removeAll()
    prefetches.removeAll()
    condition.broadcast()
    while isRunning { condition.wait() }
    isStopping = false
    condition.unlock()
  }

  deinit { for buffer in staging { free(buffer.baseAddress) } }

  package func snapshot() -> Counts { condition.withLock { counts } }

  /// Bytes of the memory that holds stored bytes while they are unpacked.
  package static func stagingBytes(_ file: PackedFile) -> Int {
    let packed = file.manifest.sections.filter { $0.encoding == .zstd && !$0.tensors.isEmpty }
    return 2 * SectionReader.room(packed.map(\.storedLength).max() ?? 0)
  }

  /// Bytes of the memory that a section is read into.
  package static func room(_ entry: SectionEntry) -> Int { SectionReader.room(entry.rawLength) }

  /// Begins to read a section.
  ///
  /// - Parameter target: `room` bytes at a multiple of 4096, which belong to the load until it is done or cancelled.
  package func load(_ section: Int, into target: UnsafeMutableRawPointer, urgent isUrgent: Bool)
    -> SectionLoad
  {
    let load = SectionLoad(section: section, target: target, isUrgent: isUrgent)
    condition.lock()
    if isUrgent { urgent.append(load) } else { prefetches.append(load) }
    if !isRunning {
      startThread()
    }
    condition.broadcast()
    condition.unlock()
    return load
  }

  /// The lock is held. Where the system makes no thread, every load fails.
  private func startThread() {
    do {
      try SystemThread.start("vl2-reader", stackBytes: 1 << 20) { self.serve() }
      isRunning = true
    } catch {
      for load in urgent + prefetches { load.state = .failed(error) }
      urgent.removeAll()
      prefetches.removeAll()
    }
  }

  /// Makes a prefetch urgent.
  package func hurry(_ load: SectionLoad) {
    condition.lock()
    if !load.isUrgent {
      load.isUrgent = true
      if case .waiting = load.state {
        prefetches.removeAll { $0 === load }
        urgent.append(load)
      }
    }
    condition.unlock()
  }

  /// Whether a load is done.
  ///
  /// - Throws: the error that made it fail.
  package func isDone(_ load: SectionLoad) throws -> Bool {
    condition.lock()
    defer { condition.unlock() }
    switch load.state {
    case .done: return true
    case .failed(let error): throw error
    default: return false
    }
  }

  /// Waits until a load is done.
  ///
  /// - Throws: the error that made it fail.
  package func wait(for load: SectionLoad) throws {
    hurry(load)
    condition.lock()
    defer { condition.unlock() }
    while true {
      switch load.state {
      case .done: return
      case .failed(let error): throw error
      default: condition.wait()
      }
    }
  }

  /// Cancels a load.
  ///
  /// - Parameter waiting: whether to wait until its memory is free.
  /// - Returns: whether its memory is free; if not, call again.
  package func cancel(_ load: SectionLoad, waiting: Bool = false) -> Bool {
    condition.lock()
    defer { condition.unlock() }
    if case .waiting = load.state {
      urgent.removeAll { $0 === load }
      prefetches.removeAll { $0 === load }
      load.state = .cancelled
      counts.cancelled += 1
    } else if case .reading = load.state {
      load.state = .cancelling
      counts.cancelled += 1
    }
    while true {
      if case .cancelling = load.state {
        if !waiting { return false }
        condition.wait()
      } else {
        return true
      }
    }
  }

  // MARK: the thread

  private func serve() {
    condition.lock()
    while !isStopping {
      guard let load = urgent.first ?? prefetches.first else {
        condition.wait()
        continue
      }
      if load.isUrgent { urgent.removeFirst() } else { prefetches.removeFirst() }
      carryOut(load, depth: 0)
    }
    isRunning = false
    condition.broadcast()
    condition.unlock()
  }

  /// Reads a section. The lock is held when this is called and when it returns.
  ///
  /// - Parameter depth: 1 for an urgent load between two pieces of a prefetch.
  private func carryOut(_ load: SectionLoad, depth: Int) {
    load.state = .reading
    condition.unlock()
    let result = Result { try read(load, depth: depth) }
    condition.lock()
    if case .cancelling = load.state {
      load.state = .cancelled
    } else {
      switch result {
      case .success(true):
        load.state = .done
        counts.loads += 1
      case .success(false): load.state = .cancelled
      case .failure(let error): load.state = .failed(error)
      }
    }
    condition.broadcast()
  }

  /// Reads, checks and unpacks a section.
  ///
  /// - Returns: false where it was cancelled meanwhile.
  private func read(_ load: SectionLoad, depth: Int) throws -> Bool {
    let entry = file.manifest.sections[load.section]
    let target = entry.encoding == .raw ? load.target : try stage(entry.storedLength, depth: depth)
    var done = 0
    while done < entry.storedLength {
      let (isWanted, isUrgent) = letUrgentPass(load)
      if !isWanted { return false }
      let piece = min(entry.storedLength - done, isUrgent ? Self.urgentPiece : Self.prefetchPiece)
      let begun = ContinuousClock.now
      try reader.read(piece, from: entry.offset + done, into: target + done)
      done += piece
      condition.withLock { counts.bytes += piece }
      holdBack(piece, since: begun)
    }
    let stored = UnsafeRawBufferPointer(start: target, count: entry.storedLength)
    if checks { try file.checkOnce(load.section, stored: stored) }
    if entry.encoding == .zstd {
      try file.unpack(
        stored, of: entry, into: UnsafeMutableRawBufferPointer(start: load.target, count: entry.rawLength))
    }
    return true
  }

  /// Lets urgent loads go first, between two pieces of a prefetch.
  private func letUrgentPass(_ load: SectionLoad) -> (isWanted: Bool, isUrgent: Bool) {
    condition.lock()
    defer { condition.unlock() }
    while !load.isUrgent, !isStopping, let other = urgent.first {
      urgent.removeFirst()
      carryOut(other, depth: 1)
    }
    if case .cancelling = load.state { return (false, load.isUrgent) }
    return (!isStopping, load.isUrgent)
  }

  /// Memory for stored bytes that have to be unpacked.
  private func stage(_ count: Int, depth: Int) throws -> UnsafeMutableRawPointer {
    let bytes = SectionReader.room(count)
    if staging[depth].count < bytes {
      free(staging[depth].baseAddress)
      staging[depth] = UnsafeMutableRawBufferPointer(start: nil, count: 0)
      var memory: UnsafeMutableRawPointer?
      guard posix_memalign(&memory, SectionReader.alignment, bytes) == 0, let memory else {
        throw MemoryError(bytes: bytes)
      }
      staging[depth] = UnsafeMutableRawBufferPointer(start: memory, count: bytes)
    }
    guard let base = staging[depth].baseAddress else { throw MemoryError(bytes: bytes) }
    return base
  }

  /// How much later than it asked a thread may wake up. A read that begins within this time after the one
  /// before counts as following it at once; otherwise the imitated card would be slower than
  /// `bytesPerSecond`.
  private static let latestWaking = Duration.microseconds(300)

  /// Sleeps for the time that a card of `bytesPerSecond` would have taken longer, for a read that began at `begun`.
  private func holdBack(_ bytes: Int, since begun: ContinuousClock.Instant) {
    guard let bytesPerSecond else { return }
    let first = begun - nextRead < Self.latestWaking ? nextRead : begun
    nextRead = first + .seconds(Double(bytes) / Double(bytesPerSecond))
    let now = ContinuousClock.now
    if nextRead > now { SystemThread.sleep((nextRead - now) / .seconds(1)) }
  }
}
