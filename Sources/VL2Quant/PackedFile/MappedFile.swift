import Glibc
import Synchronization
import SystemSupport
import VL2Base

/// A memory-mapped file that notices when its bytes are no longer those that were opened.
///
/// The address never changes, even when the file is mapped again.
final class MappedFile: @unchecked Sendable {
  /// Identifies one state of a file.
  private struct Stamp: Equatable {
    var device, inode, size, seconds, nanoseconds: Int

    init(_ status: stat) {
      device = Int(truncatingIfNeeded: status.st_dev)
      inode = Int(truncatingIfNeeded: status.st_ino)
      size = Int(status.st_size)
      seconds = status.st_mtim.tv_sec
      nanoseconds = status.st_mtim.tv_nsec
    }
  }

  let path: String
  let bytes: UnsafeRawBufferPointer
  private let isDistrusted = Atomic<Bool>(false)
  private let state: Monitor<State>

  /// What changes when the file is opened again.
  private struct State {
    var descriptor: Int32
    var generation = 0
    var stamp: Stamp
    var guardNumber: Int32 = -1
  }

  var descriptor: Int32 { state.withLock { $0.descriptor } }

  /// Grows each time the file is opened again.
  var generation: Int { state.withLock { $0.generation } }

  /// - Throws: `PackedFileError.missing`, `.system`, `.folder`, or `.notPacked` if it is not a regular file or has fewer
  ///   than 8 bytes.
  init(path: String) throws {
    self.path = path
    let (descriptor, status) = try Self.open(path)
    state = Monitor(State(descriptor: descriptor, stamp: Stamp(status)))
    let length = Int(status.st_size)
    guard let base = mmap(nil, length, PROT_READ, MAP_SHARED, descriptor, 0), base != MAP_FAILED else {
      let failure = Self.failure(path)
      close(descriptor)
      throw failure
    }
    bytes = UnsafeRawBufferPointer(start: base, count: length)
  }

  deinit {
    state.withLock { state in
      vl2_bus_guard_remove(state.guardNumber)
      munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count)
      close(state.descriptor)
    }
  }

  private static func failure(_ path: String, _ operation: String = "be read") -> PackedFileError {
    errno == ENOENT
      ? .missing(path: path)
      : .system(path: path, operation: operation, reason: SystemReason.reading(errno))
  }

  private static func open(_ path: String) throws -> (Int32, stat) {
    // O_NONBLOCK, because opening a pipe would wait for a writer.
    let descriptor = Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw failure(path) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      let failure = failure(path)
      close(descriptor)
      throw failure
    }
    guard status.st_mode & S_IFMT == S_IFREG, status.st_size >= 8 else {
      close(descriptor)
      guard status.st_mode & S_IFMT == S_IFDIR else { throw PackedFileError.notPacked(path: path) }
      throw PackedFileError.folder(path: path, isCheckpoint: FileStatus(path + "/config.json") != nil)
    }
    return (descriptor, status)
  }

  /// From now on a page that cannot be read counts as zeros, and `checkUnchanged` reports it. Otherwise it
  /// would end the program by SIGBUS.
  ///
  /// - Returns: false where too many files are guarded.
  func surviveFaults() -> Bool {
    state.withLock { state in
      if state.guardNumber < 0 { state.guardNumber = vl2_bus_guard_add(bytes.baseAddress, bytes.count) }
      return state.guardNumber >= 0
    }
  }

  /// Remembers that reading failed.
  func distrust() { isDistrusted.store(true, ordering: .relaxed) }

  /// Compares the file with what was opened. Cheap enough to do for each token.
  ///
  /// - Throws: `PackedFileError.length`, `.system` or `.changed`; results computed from the bytes in the
  ///   meantime may then be wrong.
  func checkUnchanged() throws { try state.withLock { try checkUnchanged($0) } }

  private func checkUnchanged(_ state: State) throws {
    var status = stat()
    guard fstat(state.descriptor, &status) == 0 else { throw Self.failure(path) }
    let now = Stamp(status)
    if now.size != state.stamp.size {
      throw PackedFileError.length(path: path, actual: now.size, expected: state.stamp.size)
    }
    if vl2_bus_guard_faults(state.guardNumber) > 0 || isDistrusted.load(ordering: .relaxed) {
      errno = EIO
      throw Self.failure(path)
    }
    if now != state.stamp { throw PackedFileError.changed(path: path) }
  }

  /// Maps the file again if it changed, for example after its card was put back. Nobody may be reading the bytes
  /// meanwhile.
  ///
  /// - Parameter isSame: looks at the beginning and the end of the bytes; false if they are another file's.
  /// - Returns: whether anything had changed.
  /// - Throws: `PackedFileError` unless the file is there again, complete and the same.
  func refresh(_ isSame: (UnsafeRawBufferPointer) -> Bool) throws -> Bool {
    try state.withLock { try refresh(&$0, isSame) }
  }

  private func refresh(_ state: inout State, _ isSame: (UnsafeRawBufferPointer) -> Bool) throws -> Bool {
    do {
      try checkUnchanged(state)
      return false
    } catch is PackedFileError {}
    let (fresh, status) = try Self.open(path)
    guard Int(status.st_size) == bytes.count else {
      close(fresh)
      throw PackedFileError.length(path: path, actual: Int(status.st_size), expected: bytes.count)
    }
    let address = UnsafeMutableRawPointer(mutating: bytes.baseAddress)
    guard let base = mmap(address, bytes.count, PROT_READ, MAP_SHARED | MAP_FIXED, fresh, 0),
      base != MAP_FAILED
    else {
      let failure = Self.failure(path)
      close(fresh)
      throw failure
    }
    close(state.descriptor)
    state.descriptor = fresh
    state.stamp = Stamp(status)
    state.generation += 1
    isDistrusted.store(false, ordering: .relaxed)
    vl2_bus_guard_reset(state.guardNumber)
    let same = isSame(bytes)
    try checkUnchanged(state)
    guard same else {
      // Nothing may be computed from another model's bytes.
      state.stamp.inode = -1
      throw PackedFileError.otherModel(path: path)
    }
    return true
  }
}
