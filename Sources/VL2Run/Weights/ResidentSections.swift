import SIMDKernels
import SystemSupport
import VL2Quant

/// Sections of a packed file that are read into anonymous memory. Each has an address of its own, whether it
/// was read or not.
final class ResidentSections {
  private let file: PackedFile
  private let checks: Bool
  private let queue: ReadQueue
  private let memory: PageRegion
  /// For each section its place in `memory`; empty for a section that is not held.
  private let places: [Range<Int>]
  private var loads: [SectionLoad?]
  private var isLoaded: [Bool]
  /// Bytes of sections that were read or are being read.
  private(set) var bytes = 0
  var keepsTower = false

  /// The embedding's section, where its rows are read one at a time.
  private let embedding: Int?
  private let rowReader: SectionReader
  private let block: PageRegion

  init(_ file: PackedFile, checks: Bool, queue: ReadQueue) throws {
    self.file = file
    self.checks = checks
    self.queue = queue
    let sections = file.manifest.sections
    embedding = file.section("embedding").flatMap { sections[$0].encoding == .raw ? $0 : nil }
    var end = 0
    var places: [Range<Int>] = []
    for (number, entry) in sections.enumerated() {
      let isHeld = Self.holds(entry) && number != embedding
      // Rounded up to 64 KiB, the largest page that a system has, so that giving a section's pages back takes
      // nothing from its neighbour.
      let room = isHeld ? (ReadQueue.room(entry) + 0xFFFF) & ~0xFFFF : 0
      places.append(end..<end + room)
      end += room
    }
    self.places = places
    memory = try PageRegion(bytes: end)
    loads = .init(repeating: nil, count: sections.count)
    isLoaded = .init(repeating: false, count: sections.count)
    rowReader = SectionReader(file)
    let step = embedding.map { sections[$0].tensors.first?.blockStep ?? 0 } ?? 0
    block = try PageRegion(bytes: SectionReader.room(step) + SectionReader.alignment)
  }

  /// Whether a section is held as a whole: all that have tensors, except routed experts.
  static func holds(_ entry: SectionEntry) -> Bool {
    !entry.tensors.isEmpty && !entry.name.contains(".expert.")
  }

  func address(_ section: Int) -> UnsafeRawPointer {
    UnsafeRawPointer(memory.base + places[section].lowerBound)
  }

  func use(_ section: Int) throws {
    if isLoaded[section] || places[section].isEmpty { return }
    begin(section, urgent: true)
    guard let load = loads[section] else { return }
    do {
      try queue.wait(for: load)
    } catch {
      release(section)
      throw error
    }
    loads[section] = nil
    isLoaded[section] = true
  }

  /// Begins to read a section that will be used soon.
  func prefetch(_ section: Int) {
    if !isLoaded[section] && !places[section].isEmpty { begin(section, urgent: false) }
  }

  private func begin(_ section: Int, urgent: Bool) {
    if loads[section] != nil { return }
    bytes += places[section].count
    loads[section] = queue.load(section, into: memory.base + places[section].lowerBound, urgent: urgent)
  }

  func release(_ section: Int) {
    if let load = loads[section] { _ = queue.cancel(load, waiting: true) }
    if loads[section] != nil || isLoaded[section] { bytes -= places[section].count }
    loads[section] = nil
    isLoaded[section] = false
    memory.release(places[section])
  }

  func invalidate() { for section in places.indices { release(section) } }

  /// Reads the block of 16 rows that a row of the embedding is in, and decodes the row.
  func embed(_ row: Int, of matrix: vl2_matrix, into out: UnsafeMutablePointer<Float>) throws {
    guard let embedding else {
      try use(file.section("embedding") ?? 0)
      withUnsafePointer(to: matrix) { vl2_decode_row($0, row, out) }
      return
    }
    let entry = file.manifest.sections[embedding]
    if checks { try check(entry, embedding) }
    let start = entry.offset + entry.tensors[0].offset + row / 16 * matrix.block_step
    let aligned = start / SectionReader.alignment * SectionReader.alignment
    try rowReader.read(start - aligned + matrix.block_step, from: aligned, into: block.base)
    var matrix = matrix
    matrix.blocks = UnsafePointer((block.base + (start - aligned)).assumingMemoryBound(to: UInt8.self))
    withUnsafePointer(to: matrix) { vl2_decode_row($0, row % 16, out) }
  }

  /// Checks the whole embedding against its checksum, once, without keeping it in memory.
  private func check(_ entry: SectionEntry, _ section: Int) throws {
    if file.isChecked(section) { return }
    let pieceBytes = 1 << 20
    let piece = try PageRegion(bytes: pieceBytes)
    var checksum: UInt32 = 0
    for start in stride(from: 0, to: entry.storedLength, by: pieceBytes) {
      let count = min(pieceBytes, entry.storedLength - start)
      try rowReader.read(count, from: entry.offset + start, into: piece.base)
      file.countCheck(ContinuousClock().measure { checksum = vl2_crc32c(checksum, piece.base, count) })
    }
    try file.checkOnce(section, checksum: checksum)
  }
}
