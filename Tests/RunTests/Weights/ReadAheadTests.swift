import Foundation
import SystemSupport
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant
import VL2Run

/// A model's file is read before it is wanted: what is lacking, in order, no more than there is memory for.
@Suite struct ReadAheadTests {
  /// A page cache that is told what it holds, and remembers what was read into it.
  private final class Cache {
    var held: [Range<Int>] = []
    var read: [Range<Int>] = []
    var onRead: (Range<Int>) -> Bool = { _ in true }
    var available: Int? = 1 << 40

    var source: ReadAhead.Source {
      ReadAhead.Source(
        isCached: { [unowned self] range in held.contains { $0.contains(range.lowerBound) } },
        read: { [unowned self] range in
          guard onRead(range) else { return false }
          read.append(range)
          return true
        }, available: { [unowned self] in available })
    }

    var readBytes: Int { read.reduce(0) { $0 + $1.count } }
  }

  private let piece = CacheFiller.pieceBytes

  @Test func readsWhatIsLacking() {
    let cache = Cache()
    cache.held = [2 * piece..<3 * piece]
    let reading = ReadAhead([.init(10 * piece..<12 * piece + 5), .init(0..<4 * piece)])
    #expect(reading.progress == .init(bytes: 6 * piece + 5))
    reading.work(cache.source)
    let pieces = cache.read.map { Double($0.lowerBound) / Double(piece) }
    #expect(pieces == [10, 11, 12, 0, 1, 3])
    #expect(cache.readBytes == 5 * piece + 5)
    #expect(
      reading.progress
        == .init(bytes: 6 * piece + 5, done: 6 * piece + 5, read: 5 * piece + 5, isOver: true))
    // Who waits for what is over does not wait.
    reading.wait()
  }

  /// Where the page cache has everything nothing is read, and nothing is shown.
  @Test func leavesCachedFilesAlone() {
    let cache = Cache()
    cache.held = [0..<8 * piece]
    let reading = ReadAhead([.init(0..<8 * piece)])
    let told = Told()
    reading.onProgress { told.add($0) }
    reading.work(cache.source)
    #expect(cache.read.isEmpty)
    #expect(reading.progress.read == 0)
    #expect(told.all.allSatisfy { $0.fraction == nil })
  }

  private final class Told: @unchecked Sendable {
    private let lock = NSLock()
    private var progresses: [ReadAhead.Progress] = []

    func add(_ progress: ReadAhead.Progress) { lock.withLock { progresses.append(progress) } }

    var all: [ReadAhead.Progress] { lock.withLock { progresses } }
  }

  @Test func saysHowFarItIs() {
    let cache = Cache()
    cache.held = [0..<piece]
    let reading = ReadAhead([.init(0..<4 * piece)])
    let told = Told()
    reading.onProgress { told.add($0) }
    reading.work(cache.source)
    #expect(told.all.map(\.fraction) == [0.5, 0.75, 1, nil])
    #expect(told.all.last?.isOver == true)
  }

  @Test func stops() {
    let cache = Cache()
    let reading = ReadAhead([.init(0..<100 * piece)])
    cache.onRead = { range in
      if range.lowerBound == 2 * piece { reading.stop() }
      return true
    }
    reading.work(cache.source)
    // The piece at work is the last.
    #expect(cache.readBytes == 3 * piece)
    #expect(reading.progress.isOver)
  }

  /// What cannot be read is left to those who use it.
  @Test func endsWhereReadingFails() {
    let cache = Cache()
    cache.onRead = { $0.lowerBound < 3 * piece }
    let reading = ReadAhead([.init(0..<100 * piece)])
    reading.work(cache.source)
    #expect(cache.readBytes == 3 * piece)
    #expect(reading.progress.isOver && reading.progress.done == 3 * piece)
  }

  /// Nine tenths of what is free are read and no more, so that nothing goes that is in use; where others take memory
  /// meanwhile, less.
  @Test func keepsToTheMemoryThatThereIs() {
    let look = ReadAhead.bytesPerLook
    let cache = Cache()
    cache.available = look * 4
    var reading = ReadAhead([.init(0..<20 * look)])
    reading.work(cache.source)
    #expect(cache.readBytes == 3 * look)
    #expect(reading.progress.isOver && reading.progress.done == 3 * look)

    cache.read = []
    cache.available = look * 30
    cache.onRead = { range in
      if range.upperBound == 5 * look { cache.available = look }
      return true
    }
    reading = ReadAhead([.init(0..<20 * look)])
    reading.work(cache.source)
    #expect(cache.readBytes == 5 * look)

    // A file that fits is read to its end; where the system says nothing about memory, too.
    for available in [look * 24, nil] {
      let cache = Cache()
      cache.available = available
      let reading = ReadAhead([.init(0..<20 * look)])
      reading.work(cache.source)
      #expect(cache.readBytes == 20 * look)
    }
  }

  /// While a layer waits for the experts that it picked nothing is read; what it did not pick comes last.
  @Test func leavesStorageToThoseWhoWait() {
    let cache = Cache()
    let reading = ReadAhead([
      .init(0..<piece), .init(10 * piece..<13 * piece, layer: 1), .init(20 * piece..<22 * piece, layer: 2),
      .init(30 * piece..<31 * piece),
    ])
    cache.onRead = { range in
      // Layer 1 knows what it wants when one piece of its experts is there.
      if range.lowerBound == 10 * piece { reading.whileWaiting(layer: 1) {} }
      return true
    }
    reading.work(cache.source)
    #expect(cache.read.map { $0.lowerBound / piece } == [0, 10, 20, 21, 30, 11, 12])
    #expect(reading.progress.done == reading.progress.bytes)
  }

  /// The same on a thread: as long as a layer waits, not a piece is begun.
  @Test func waitsForThoseWhoWait() throws {
    let reading = ReadAhead([.init(0..<1000 * piece)])
    let told = Told()
    try reading.whileWaiting(layer: 0) {
      let started = Told()
      try SystemThread.start("reader") {
        started.add(.init())
        reading.work(
          .init(
            isCached: { _ in false },
            read: { _ in
              told.add(.init())
              return true
            }, available: { nil }))
      }
      while started.all.isEmpty { usleep(100) }
      usleep(10_000)
      #expect(told.all.isEmpty)
    }
    reading.wait()
    #expect(told.all.count == 1000)
    // Stopping ends who waits, too.
    let stopped = ReadAhead([.init(0..<piece)])
    stopped.stop()
    stopped.whileWaiting(layer: 0) {
      stopped.work(.init(isCached: { _ in false }, read: { _ in true }, available: { nil }))
    }
    #expect(stopped.progress.isOver && stopped.progress.done == 0)
  }

  /// All sections once: what every question wants, then experts layer by layer; the tower first or last.
  @Test func order() throws {
    let file = try PackedModels.file("nano-mha", .q4)
    let sections = file.manifest.sections
    #expect(ReadAhead.parts(file, .off).isEmpty)
    let (pictures, text) = (ReadAhead.parts(file, .forPictures), ReadAhead.parts(file, .forText))
    for parts in [pictures, text] {
      for entry in sections where entry.storedLength > 0 {
        let end = entry.offset + entry.storedLength
        let holders = parts.filter { $0.range.lowerBound <= entry.offset && end <= $0.range.upperBound }
        #expect(holders.count == 1, "\(entry.name)")
        #expect((holders.first?.layer != nil) == entry.name.contains(".expert."), "\(entry.name)")
      }
      let layers = parts.compactMap(\.layer)
      #expect(layers == layers.sorted() && Set(layers).count == layers.count && !layers.isEmpty)
    }
    func place(_ name: String, _ parts: [ReadAhead.Part]) throws -> Int {
      let entry = try #require(sections.first { $0.name.hasPrefix(name) })
      return try #require(parts.firstIndex { $0.range.contains(entry.offset) })
    }
    #expect(try place("vision.", pictures) <= place("head", pictures))
    #expect(try place("head", pictures) < place("layer.1.expert.0", pictures))
    #expect(try place("vision.", text) > place("layer.1.expert.0", text))
    #expect(try place("head", text) < place("layer.1.expert.0", text))
  }

  /// The thread, on a real file: read once, it is all there and is not read again.
  @Test func file() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/copy.vl2q"
      try FileManager.default.copyItem(atPath: try PackedModels.path("nano-mha", .q4), toPath: path)
      let descriptor = open(path, O_RDONLY)
      try #require(descriptor >= 0)
      defer { close(descriptor) }
      // In a file system in memory nothing can be dropped; then there is nothing to read.
      fsync(descriptor)
      vl2_drop_cached(descriptor, 0, 0)
      let file = try PackedFile(path: path)
      let first = try #require(ReadAhead.start(file, .forPictures))
      first.wait()
      #expect(first.progress.done == first.progress.bytes)
      for entry in file.manifest.sections { #expect(vl2_is_cached(descriptor, Int64(entry.offset)) != 0) }
      if vl2_is_cached(descriptor, 0) == 1 {
        let second = try #require(ReadAhead.start(file, .forText))
        second.wait()
        #expect(second.progress.read == 0 && second.progress.done == second.progress.bytes)
      }
      #expect(ReadAhead.start(file, .off) == nil)
    }
  }

  /// Answers are the same, and a limit of memory turns it off: then the file is read past the page cache.
  @Test func answers() async throws {
    let path = try PackedModels.path("nano-mha", .q4)
    var texts: [String] = []
    for ahead in [ReadingAhead.off, .forText, .forPictures] {
      var options = RuntimeOptions(threads: 1, memory: .mapped)
      options.readingAhead = ahead
      let engine = try await Engine(path: path, options: options, keeping: 0)
      #expect((engine.readAhead == nil) == (ahead == .off))
      texts.append(try await engine.answer(Question("Hello", maxTokens: 8)).answer().text)
    }
    #expect(Set(texts).count == 1)
    var options = RuntimeOptions(threads: 1)
    options.readingAhead = .forText
    options.slots = 4
    #expect(try await Engine(path: path, options: options, keeping: 0).readAhead == nil)
  }
}
