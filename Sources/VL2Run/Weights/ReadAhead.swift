import VL2Base
import VL2Quant

/// What of a model's file is read before it is wanted.
public enum ReadingAhead: Sendable {
  /// Nothing: each part is read when it is first used.
  case off
  /// All of it, in the order in which a question about a picture wants it.
  case forPictures
  /// All of it, the language model first.
  case forText
}

/// A thread that has the system read a mapped model into its page cache, while a picture is decoded or looked at. What
/// computes reads the same bytes sooner, and waits less.
///
/// It reads what the page cache lacks and nothing else; no more than there is memory for, so that it pushes nothing out that is
/// in use; and it ends after the piece at work where nobody wants it any more. No result depends on it: what cannot be read
/// is left to those who use it.
package final class ReadAhead: Sendable {
  /// How far it is.
  package struct Progress: Sendable, Equatable {
    /// Bytes that are to be read, those that the page cache had among them.
    package var bytes = 0
    /// Of them: those that are there.
    package var done = 0
    /// Bytes that were read because the page cache lacked them.
    package var read = 0
    /// Whether the thread has ended.
    package var isOver = false

    package init(bytes: Int = 0, done: Int = 0, read: Int = 0, isOver: Bool = false) {
      (self.bytes, self.done, self.read, self.isOver) = (bytes, done, read, isOver)
    }

    /// How much is there, in 0...1; nil while the page cache had all, and once reading is over.
    package var fraction: Double? { read > 0 && !isOver ? Double(done) / Double(max(1, bytes)) : nil }
  }

  /// Where bytes come from.
  package struct Source {
    /// Whether the page cache holds a range.
    package var isCached: (Range<Int>) -> Bool
    /// Reads a range into it; false where that is impossible.
    package var read: (Range<Int>) -> Bool
    /// Bytes that this process may still take, those that the page cache could give back among them; nil where the system
    /// does not say.
    package var available: () -> Int?

    package init(
      isCached: @escaping (Range<Int>) -> Bool, read: @escaping (Range<Int>) -> Bool,
      available: @escaping () -> Int?
    ) {
      (self.isCached, self.read, self.available) = (isCached, read, available)
    }
  }

  private struct State {
    var progress = Progress()
    var isStopped = false
    var onProgress: (@Sendable (Progress) -> Void)?
  }

  /// After how many bytes it looks again at how much memory there is.
  package static let bytesPerLook = 32 << 20

  private let state: Monitor<State>
  private let ranges: [Range<Int>]

  /// - Parameter ranges: of the file, in the order in which they are read.
  package init(_ ranges: [Range<Int>]) {
    self.ranges = ranges
    var state = State()
    state.progress.bytes = ranges.reduce(0) { $0 + $1.count }
    self.state = Monitor(state)
  }

  /// The stored bytes of a file's sections in an order; neighbours are put together.
  package static func ranges(_ file: PackedFile, _ order: ReadingAhead) -> [Range<Int>] {
    let sections = file.manifest.sections
    func isTower(_ entry: SectionEntry) -> Bool {
      entry.name.hasPrefix("vision.") || entry.name == "projector"
    }
    let wanted =
      switch order {
      case .off: [SectionEntry]()
      case .forPictures: sections
      case .forText: sections.filter { !isTower($0) } + sections.filter(isTower)
      }
    var ranges: [Range<Int>] = []
    for entry in wanted {
      // Sections begin at multiples of 64 KiB.
      let (start, end) = (entry.offset, entry.offset + entry.storedLength)
      if let last = ranges.last, start >= last.upperBound, start - last.upperBound < 1 << 16 {
        ranges[ranges.count - 1] = last.lowerBound..<end
      } else {
        ranges.append(start..<end)
      }
    }
    return ranges
  }

  /// Starts a thread for a mapped file.
  ///
  /// - Returns: nil where there is nothing to read, or no thread or descriptor to read with: then everything is read when it
  ///   is used.
  package static func start(_ file: PackedFile, _ order: ReadingAhead) -> ReadAhead? {
    guard order != .off else { return nil }
    let reading = ReadAhead(ranges(file, order))
    guard let filler = CacheFiller(file) else { return nil }
    let source = Handed(
      Source(
        isCached: filler.isCached, read: filler.read, available: { AvailableMemory.read()?.available }))
    do {
      try SystemThread.start("vl2-ahead", stackBytes: 1 << 18) { reading.work(source.value) }
    } catch {
      return nil
    }
    return reading
  }

  /// What is handed to the thread, and used there alone.
  private struct Handed: @unchecked Sendable {
    let value: Source

    init(_ value: Source) { self.value = value }
  }

  package var progress: Progress { state.withLock { $0.progress } }

  /// Ends reading after the piece at work.
  package func stop() { state.change { $0.isStopped = true } }

  /// Waits until reading is over.
  package func wait() { state.wait { $0.progress.isOver ? () : nil } }

  /// Has `tell` called on the reading thread, whenever more was read and at the end.
  package func onProgress(_ tell: @escaping @Sendable (Progress) -> Void) {
    state.change { $0.onProgress = tell }
  }

  /// Reads everything. The thread's work; tests call it themselves.
  package func work(_ source: Source) {
    var done = 0
    var nextLook = 0
    reading: for range in ranges {
      var at = range.lowerBound
      while at < range.upperBound {
        if state.withLock({ $0.isStopped }) { break reading }
        let end = min(at + CacheFiller.pieceBytes, range.upperBound)
        if done >= nextLook {
          // What was read counts as available as long as nobody uses it. A tenth is left to others, as `MemoryChoice.automatic`
          // leaves it.
          let needed = min(done + Self.bytesPerLook, progress.bytes)
          if let available = source.available(), needed > available / 10 * 9 { break reading }
          nextLook = done + Self.bytesPerLook
        }
        let isThere = source.isCached(at..<end)
        if !isThere, !source.read(at..<end) { break reading }
        done += end - at
        note(done: done, read: isThere ? 0 : end - at)
        at = end
      }
    }
    let (tell, last) = state.change { state in
      state.progress.isOver = true
      return (state.onProgress, state.progress)
    }
    tell?(last)
  }

  private func note(done: Int, read: Int) {
    let (tell, now) = state.withLock { state in
      state.progress.done = done
      state.progress.read += read
      return (state.onProgress, state.progress)
    }
    if read > 0 { tell?(now) }
  }
}
