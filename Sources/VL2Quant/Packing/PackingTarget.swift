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

  /// Takes over what an earlier run of the same job left, if anything.
  ///
  /// - Parameters:
  ///   - job: what the file's bytes depend on; nil if no other run is to resume it.
  ///   - plans: all sections.
  /// - Throws: `PackedFileError`; `.otherWork` if the earlier run had another job.
  func begin(_ job: PackingJob?, plans: [SectionPlan]) throws {
    guard let job, unfinished != .remove else { return }
    guard unfinished == .resume, writer.unfinishedLength > 0,
      let record = try PackingJournal.Record(target: path)
    else {
      try writer.cut()
      journal = try PackingJournal(target: path, job: job)
      return
    }
    if let difference = job.difference(from: record.job) {
      throw PackedFileError.otherWork(
        path: PackedFileWriter.unfinishedPath(of: path), difference: difference.text,
        setting: difference.setting)
    }
    for (entry, plan) in zip(record.sections, plans) {
      guard plan.isOf(entry), try writer.adopt(entry) else { break }
    }
    try writer.cut()
    journal = try PackingJournal(target: path, continuing: record, sections: writer.entries.count)
  }

  /// The number of sections that are written.
  var sections: Int { writer.entries.count }

  func append(_ section: PackedSection) throws {
    try writer.append(section)
    if let entry = writer.entries.last { try journal?.append(entry) }
  }

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
    writer.keepsUnfinished = canSucceed && sections > 0
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
    for index in written.indices { written[index].errorPPM = 0 }
    return entry.name == name && written == tensors && (tensors.isEmpty || entry.rawLength == length)
  }
}
