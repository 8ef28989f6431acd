import FoundationEssentials
import Glibc
import SIMDKernels
import VL2Base

/// Turns a packed file back into a checkpoint folder: float32 weights that are exactly what the codes say.
public struct Dequantizer: Sendable {
  public var threads: Int
  /// Called often, on any thread. Throwing from it cancels the work, and no folder is left.
  public var check: @Sendable () throws -> Void = {}

  /// Bytes of a shard, but every shard holds at least one section.
  private static let shardBytes = 4 << 30
  /// Weights that are decoded at a time.
  private static let weightsAtATime = 1 << 20

  public init(threads: Int) { self.threads = threads }

  /// Writes the folder. It gets its name only when it is complete.
  ///
  /// - Parameters:
  ///   - file: what to write; all its checksums are checked first.
  ///   - folder: a path where nothing exists yet, or an empty folder.
  ///   - progress: receives the share done, 0 to 1, and the section that was written last.
  /// - Throws: `PackedFileError` for a damaged file, `CheckpointError` if something is already there,
  ///   `OutputError` if the folder cannot be written, and what `check` throws.
  public func write(
    _ file: PackedFile, to folder: String, progress: (Double, String) -> Void = { _, _ in }
  ) throws {
    let files = FileManager.default
    if files.fileExists(atPath: folder), (try? files.contentsOfDirectory(atPath: folder))?.isEmpty != true {
      throw CheckpointError.folderInUse(path: folder)
    }
    try file.verify()
    var target = folder[...]
    while target.count > 1, target.last == "/" { target.removeLast() }
    let temporary = "\(target).part"
    if files.fileExists(atPath: temporary) { throw CheckpointError.leftOver(path: temporary) }
    guard mkdir(temporary, 0o755) == 0 else { throw Self.failure(temporary) }
    do {
      try writeTexts(of: file, to: temporary)
      try writeShards(of: file, to: temporary, progress: progress)
      guard rename(temporary, String(target)) == 0 else { throw Self.failure(folder) }
    } catch {
      try? files.removeItem(atPath: temporary)
      throw error
    }
  }

  private static func failure(_ path: String) -> OutputError { OutputError(path, errno) }

  // MARK: - Texts

  private func writeTexts(of file: PackedFile, to folder: String) throws {
    // Only known names are written: names that a manifest makes up could lead anywhere.
    for (name, _) in Checkpoint.configNames {
      if let text = file.manifest.configFiles[name] { try write(Data(text.utf8), to: folder + "/" + name) }
    }
    if let license = file.manifest.origin.license { try write(Data(license.utf8), to: folder + "/LICENSE") }
    try file.withSectionBytes(ModelLayout.tokenizerSource) { bytes in
      try write(Data(bytes), to: folder + "/tokenizer.json")
    }
  }

  private func write(_ data: Data, to path: String) throws {
    try OutputFile(replacing: path).write(data)
  }

  // MARK: - Weights

  private func writeShards(
    of file: PackedFile, to folder: String, progress: (Double, String) -> Void
  ) throws {
    let shards = Self.shards(file.manifest.sections)
    let total = Double(max(1, file.manifest.sections.reduce(0) { $0 + $1.floatBytes }))
    var done = 0
    var places: [String] = []
    for (index, sections) in shards.enumerated() {
      let name = "model-\(Self.fiveDigits(index + 1))-of-\(Self.fiveDigits(shards.count)).safetensors"
      let tensors = sections.flatMap {
        $0.tensors.map { (name: $0.name, element: SafetensorsWriter.Element.f32, shape: $0.shape) }
      }
      let writer = try SafetensorsWriter(path: folder + "/" + name, tensors: tensors)
      for section in sections {
        try writeSection(section, of: file, writer)
        file.discard(section: section.name)
        done += section.floatBytes
        progress(Double(done) / total, section.name)
      }
      try writer.finish()
      places += tensors.map { "\(JSONText.quoted($0.name)):\(JSONText.quoted(name))" }
    }
    let index =
      "{\"metadata\":{\"total_size\":\(done)},\"weight_map\":{\(places.joined(separator: ",\n"))}}\n"
    try write(Data(index.utf8), to: folder + "/model.safetensors.index.json")
  }

  /// Sections with tensors, in file order, as many in a shard as fit.
  private static func shards(_ sections: [SectionEntry]) -> [[SectionEntry]] {
    var shards: [[SectionEntry]] = []
    var room = 0
    for section in sections where !section.tensors.isEmpty {
      if shards.isEmpty || section.floatBytes > room {
        shards.append([])
        room = shardBytes
      }
      shards[shards.count - 1].append(section)
      room -= section.floatBytes
    }
    return shards
  }

  private static func fiveDigits(_ number: Int) -> String {
    let digits = String(number)
    return String(repeating: "0", count: max(0, 5 - digits.count)) + digits
  }

  private struct Piece: Sendable {
    var tensor: TensorEntry
    var rows: Range<Int>
  }

  private func writeSection(_ section: SectionEntry, of file: PackedFile, _ writer: SafetensorsWriter) throws
  {
    let pieces = section.tensors.flatMap { tensor in
      WeightExtent(tensor).ranges(ofWeights: Self.weightsAtATime).map { Piece(tensor: tensor, rows: $0) }
    }
    try file.withSectionBytes(section.name) { bytes in
      nonisolated(unsafe) let bytes = bytes
      let work = OrderedWork(threads: threads, budget: 4 * threads)
      try work.run(costs: pieces.map { _ in 1 }) { [check] index in
        try check()
        return Self.decode(pieces[index].tensor, rows: pieces[index].rows, bytes)
      } finish: { _, weights in
        try weights.withUnsafeBytes { try writer.append($0) }
      }
    }
  }

  /// Rows of a tensor as float32, row-major.
  private static func decode(_ tensor: TensorEntry, rows: Range<Int>, _ section: UnsafeRawBufferPointer)
    -> [Float]
  {
    let columns = WeightExtent(tensor).columns
    return [Float](unsafeUninitializedCapacity: rows.count * columns) { out, count in
      count = rows.count * columns
      guard let base = section.baseAddress, let target = out.baseAddress else { return }
      guard let kernelCode = tensor.code.kernelCode else {
        let place = tensor.offset + rows.lowerBound * columns * MemoryLayout<Float>.size
        UnsafeMutableRawBufferPointer(out).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: section[place..<place + count * MemoryLayout<Float>.size]))
        return
      }
      var matrix = vl2_matrix(
        blocks: (base + tensor.offset).assumingMemoryBound(to: UInt8.self), block_step: tensor.blockStep,
        code: kernelCode, rows: UInt32(WeightExtent(tensor).rows), columns: UInt32(columns))
      for (index, row) in rows.enumerated() { vl2_decode_row(&matrix, row, target + index * columns) }
    }
  }
}

extension SectionEntry {
  /// Bytes of all weights as float32.
  fileprivate var floatBytes: Int { tensors.reduce(0) { $0 + $1.shape.reduce(4, *) } }
}
