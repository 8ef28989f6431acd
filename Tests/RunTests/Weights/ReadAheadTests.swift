import Foundation
import SystemSupport
import TestModels
import TestSupport
import Testing
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
    let reading = ReadAhead([10 * piece..<12 * piece + 5, 0..<4 * piece])
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
    let reading = ReadAhead([0..<8 * piece])
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
    let reading = ReadAhead([0..<4 * piece])
    let told = Told()
    reading.onProgress { told.add($0) }
    reading.work(cache.source)
    #expect(told.all.map(\.fraction) == [0.5, 0.75, 1, nil])
    #expect(told.all.last?.isOver == true)
  }

  @Test func stops() {
    let cache = Cache()
    let reading = ReadAhead([0..<100 * piece])
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
    let reading = ReadAhead([0..<100 * piece])
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
    var reading = ReadAhead([0..<20 * look])
    reading.work(cache.source)
    #expect(cache.readBytes == 3 * look)
    #expect(reading.progress.isOver && reading.progress.done == 3 * look)

    cache.read = []
    cache.available = look * 30
    cache.onRead = { range in
      if range.upperBound == 5 * look { cache.available = look }
      return true
    }
    reading = ReadAhead([0..<20 * look])
    reading.work(cache.source)
    #expect(cache.readBytes == 5 * look)

    // A file that fits is read to its end; where the system says nothing about memory, too.
    for available in [look * 24, nil] {
      let cache = Cache()
      cache.available = available
      let reading = ReadAhead([0..<20 * look])
      reading.work(cache.source)
      #expect(cache.readBytes == 20 * look)
    }
  }

  /// All sections once, the tower first or last.
  @Test func order() throws {
    let file = try PackedModels.file("nano-mha", .q4)
    let sections = file.manifest.sections
    #expect(ReadAhead.ranges(file, .off).isEmpty)
    let (pictures, text) = (ReadAhead.ranges(file, .forPictures), ReadAhead.ranges(file, .forText))
    for ranges in [pictures, text] {
      for entry in sections where entry.storedLength > 0 {
        let end = entry.offset + entry.storedLength
        #expect(
          ranges.filter { $0.lowerBound <= entry.offset && end <= $0.upperBound }.count == 1,
          "\(entry.name)")
      }
    }
    #expect(pictures.map(\.lowerBound) == pictures.map(\.lowerBound).sorted())
    let tower = try #require(sections.first { $0.name.hasPrefix("vision.") })
    let head = try #require(sections.first { $0.name == "head" })
    func place(_ entry: SectionEntry, _ ranges: [Range<Int>]) -> Int {
      var before = 0
      for range in ranges {
        if range.contains(entry.offset) { return before + entry.offset - range.lowerBound }
        before += range.count
      }
      return -1
    }
    #expect(place(tower, pictures) < place(head, pictures))
    #expect(place(tower, text) > place(head, text))
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
