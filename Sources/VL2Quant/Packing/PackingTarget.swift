import VL2Base

extension ResultKind {
  package static let packedModel = ResultKind("a packed model", endings: [".vl2q"]) {
    FileHead.isBegin(of: $0)
  }
  /// What is not complete yet: its head is written last.
  static let unfinishedModel = ResultKind("an unfinished packed model", endings: []) {
    FileHead.isBegin(of: $0) || $0.prefix(FileHead.length).allSatisfy { $0 == 0 }
  }
  static let journal = ResultKind("a journal of packing", endings: []) { PackingJournal.isBegin($0) }
}

/// A packed file that is being written, with the journal that lets another run resume it.
final class PackingTarget {
  private let path: String
  private let unfinished: ModelPacker.Unfinished
  private let writer: PackedFileWriter
  private var journal: PackingJournal?
  private var record: PackingJournal.Record?
  /// The indices of the sections that are written, among all plans.
  private(set) var made: Set<Int> = []

  /// Opens the unfinished file, so that a place that cannot be written to is found before any work.
  ///
  /// - Parameter inputs: the paths of everything that is read, which nothing here may replace.
  /// - Throws: `OutputError` where something would be destroyed; `PackedFileError`.
  init(path: String, unfinished: ModelPacker.Unfinished, reading inputs: [String]) throws {
    try ResultKind.packedModel.check(path, reading: inputs)
    try ResultKind.unfinishedModel.check(PackedFileWriter.unfinishedPath(of: path), reading: inputs)
    try ResultKind.journal.check(PackingJournal.path(of: path), reading: inputs)
    self.path = path
    self.unfinished = unfinished
    let continues = unfinished == .resume
    writer = try PackedFileWriter(path: path, continuing: continues)
    // Until it is known whether an earlier run left anything useful.
    writer.keepsUnfinished = continues && writer.unfinishedLength > 0
    if !continues { PackingJournal.remove(of: path) }
  }

  /// Looks for what an earlier run of the same job left. Nothing is changed yet.
  ///
  /// - Returns: the beginnings of shards that it was made of, which have to be the same now.
  /// - Throws: `PackedFileError`; `.otherWork` if the earlier run had another job.
  func findEarlierWork(_ job: PackingJob) throws -> [SourceFile] {
    guard unfinished == .resume, writer.unfinishedLength > 0 else { return [] }
    record = try PackingJournal.Record(target: path)
    guard let record else { return [] }
    if let difference = job.difference(from: record.job) {
      throw otherWork(difference.text, setting: difference.setting)
    }
    return record.reached
  }

  /// The error for work that was begun otherwise.
  func otherWork(_ difference: String, setting: Setting? = nil) -> PackedFileError {
    .otherWork(
      path: PackedFileWriter.unfinishedPath(of: path), difference: difference, setting: setting)
  }

  /// Takes over what `findEarlierWork` found, and makes ready for the rest.
  ///
  /// - Parameters:
  ///   - job: what the file's bytes depend on.
  ///   - plans: all sections.
  ///   - offsets: where they have to be; nil if each stands behind the one before it.
  /// - Throws: `PackedFileError`.
  func begin(_ job: PackingJob, plans: [SectionPlan], offsets: [Int]?) throws {
    guard unfinished != .remove else { return }
    guard let record else {
      try writer.cut()
      journal = try PackingJournal(target: path, job: job)
      return
    }
    let indices = Dictionary(uniqueKeysWithValues: plans.enumerated().map { ($1.name, $0) })
    for entry in record.sections {
      guard let index = indices[entry.name], !made.contains(index), plans[index].isOf(entry),
        offsets != nil || index == made.count
      else { continue }
      if try writer.adopt(entry, at: offsets?[index]) { made.insert(index) }
    }
    try writer.cut()
    journal = try PackingJournal(target: path, continuing: record)
  }

  /// Writes a section.
  ///
  /// - Parameters:
  ///   - index: its place among all plans.
  ///   - offset: where it has to be; nil for behind the last one.
  func append(_ section: PackedSection, _ index: Int, at offset: Int?) throws {
    try writer.append(section, at: offset)
    try noteSection(index)
  }

  /// Writes a section that is stored as it is.
  func append(_ entry: SectionEntry, _ bytes: UnsafeRawBufferPointer, _ index: Int) throws {
    try writer.append(entry, bytes)
    try noteSection(index)
  }

  private func noteSection(_ index: Int) throws {
    made.insert(index)
    if let entry = writer.entries.last { try journal?.append(entry) }
  }

  /// Records how far a shard was read.
  func note(_ shard: SourceFile) throws { try journal?.append(shard) }

  func finish(_ origin: Manifest.Origin, _ recipe: Recipe, configFiles: [String: String]) throws {
    try writer.finish(origin: origin, recipe: recipe.rules, configFiles: configFiles)
    PackingJournal.remove(of: path)
  }

  /// Decides what stays after a failure. If packing the same again can succeed, hours of work are kept; if
  /// something is wrong with the source, nothing is. What an earlier run left and this one did not take over
  /// stays.
  func fail(_ error: any Error) {
    guard journal != nil else { return }
    let canSucceed = (error as? any ReportableError)?.kind.leavesWork ?? true
    writer.keepsUnfinished = canSucceed && !made.isEmpty
    if !writer.keepsUnfinished { PackingJournal.remove(of: path) }
  }
}

extension ErrorKind {
  /// Whether the machine failed, not what it was given, so that what is packed so far can be used to resume.
  package var leavesWork: Bool { self == .inputOutput || self == .tooLittleMemory }
}

extension SectionPlan {
  /// Whether a section that was written is the planned one.
  fileprivate func isOf(_ entry: SectionEntry) -> Bool {
    var written = entry.tensors
    for index in written.indices { (written[index].errorPPM, written[index].weightedErrorPPM) = (0, nil) }
    return entry.name == name && written == tensors && (tensors.isEmpty || entry.rawLength == length)
  }
}
