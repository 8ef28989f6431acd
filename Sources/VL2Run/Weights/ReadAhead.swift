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
///
/// What every question wants comes first, then the experts, layer by layer, of which a question wants most but not all. As long
/// as a layer waits for experts that it picked, storage is left to it, and what it did not pick comes last.
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

  /// Bytes of the file that are read one after the other.
  package struct Part: Equatable {
    package var range: Range<Int>
    /// The layer whose experts they are; nil for what every question wants.
    package var layer: Int?

    package init(_ range: Range<Int>, layer: Int? = nil) { (self.range, self.layer) = (range, layer) }
  }

  private struct State {
    var progress = Progress()
    var isStopped = false
    /// Layers that know which experts they want, and how many of them wait for some.
    var knownLayers = 0
    var waiting = 0
    var onProgress: (@Sendable (Progress) -> Void)?
  }

  /// After how many bytes it looks again at how much memory there is.
  package static let bytesPerLook = 32 << 20

  private let state: Monitor<State>
  private let parts: [Part]

  /// - Parameter parts: of the file, in the order in which they are read.
  package init(_ parts: [Part]) {
    self.parts = parts
    var state = State()
    state.progress.bytes = parts.reduce(0) { $0 + $1.range.count }
    self.state = Monitor(state)
  }

  /// The stored bytes of a file's sections in an order; neighbours are put together.
  package static func parts(_ file: PackedFile, _ order: ReadingAhead) -> [Part] {
    func isTower(_ entry: SectionEntry) -> Bool {
      entry.name.hasPrefix("vision.") || entry.name == "projector"
    }
    /// "layer.3.expert.17"
    func layer(_ entry: SectionEntry) -> Int? {
      let words = entry.name.split(separator: ".")
      return words.count == 4 && words[2] == "expert" ? Int(words[1]) : nil
    }
    let sections = file.manifest.sections
    let experts = sections.filter { layer($0) != nil }
    let others = sections.filter { layer($0) == nil }
    let wanted =
      switch order {
      case .off: [SectionEntry]()
      case .forPictures: others + experts
      case .forText: others.filter { !isTower($0) } + experts + others.filter(isTower)
      }
    var parts: [Part] = []
    for entry in wanted {
      let (start, end) = (entry.offset, entry.offset + entry.storedLength)
      // Sections begin at multiples of 64 KiB.
      if let last = parts.last, last.layer == layer(entry), start >= last.range.upperBound,
        start - last.range.upperBound < 1 << 16
      {
        parts[parts.count - 1].range = last.range.lowerBound..<end
      } else {
        parts.append(Part(start..<end, layer: layer(entry)))
      }
    }
    return parts
  }

  /// Starts a thread for a mapped file.
  ///
  /// - Returns: nil where there is nothing to read, or no thread or descriptor to read with: then everything is read when it
  ///   is used.
  package static func start(_ file: PackedFile, _ order: ReadingAhead) -> ReadAhead? {
    guard order != .off else { return nil }
    let reading = ReadAhead(parts(file, order))
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

  /// Calls `body`, which waits for experts that a layer picked: meanwhile nothing else is read.
  package func whileWaiting<Result>(layer: Int, _ body: () throws -> Result) rethrows -> Result {
    state.change { state in
      state.knownLayers = max(state.knownLayers, layer + 1)
      state.waiting += 1
    }
    defer { state.change { $0.waiting -= 1 } }
    return try body()
  }

  /// Reads everything. The thread's work; tests call it themselves.
  package func work(_ source: Source) {
    var reading = Reading(source: source)
    var left: [Part] = []
    var goesOn = true
    for part in parts where goesOn {
      goesOn = read(part, &reading) { known, rest in
        // What the layer did not pick may be wanted later.
        guard let layer = part.layer, layer < known else { return false }
        left.append(Part(rest, layer: layer))
        return true
      }
    }
    for part in left where goesOn { goesOn = read(part, &reading) { _, _ in false } }
    let (tell, last) = state.change { state in
      state.progress.isOver = true
      return (state.onProgress, state.progress)
    }
    tell?(last)
  }

  private struct Reading {
    let source: Source
    var done = 0
    var nextLook = 0
  }

  /// Reads a part.
  ///
  /// - Parameter isPutOff: asked before each piece, with the layers that know what they want, and what is left of the part.
  /// - Returns: whether reading goes on after it.
  private func read(
    _ part: Part, _ reading: inout Reading, isPutOff: (_ known: Int, _ rest: Range<Int>) -> Bool
  ) -> Bool {
    var at = part.range.lowerBound
    while at < part.range.upperBound {
      let (isStopped, known) = state.wait { state in
        state.isStopped ? (true, 0) : state.waiting > 0 ? nil : (false, state.knownLayers)
      }
      if isStopped { return false }
      if isPutOff(known, at..<part.range.upperBound) { return true }
      let end = min(at + CacheFiller.pieceBytes, part.range.upperBound)
      if reading.done >= reading.nextLook {
        // What was read counts as available as long as nobody uses it. A tenth is left to others, as `MemoryChoice.automatic`
        // leaves it.
        let needed = min(reading.done + Self.bytesPerLook, progress.bytes)
        if let available = reading.source.available(), needed > available / 10 * 9 { return false }
        reading.nextLook = reading.done + Self.bytesPerLook
      }
      let isThere = reading.source.isCached(at..<end)
      if !isThere, !reading.source.read(at..<end) { return false }
      reading.done += end - at
      note(done: reading.done, read: isThere ? 0 : end - at)
      at = end
    }
    return true
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
