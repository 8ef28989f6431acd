import VL2Base

/// A packed file in the making, with the journal that lets another run go on with it.
final class PackingTarget {
  private let path: String
  private let unfinished: ModelPacker.Unfinished
  private let writer: PackedFileWriter
  private var journal: PackingJournal?

  /// Opens what will be the file, so that a place that cannot be written to is found out before any work.
  ///
  /// - Throws: `PackedFileError`.
  init(path: String, unfinished: ModelPacker.Unfinished) throws {
    self.path = path
    self.unfinished = unfinished
    let continues = unfinished == .resume
    writer = try PackedFileWriter(path: path, continuing: continues)
    // Until it is known whether an earlier run left something of use.
    writer.keepsUnfinished = continues && writer.unfinishedLength > 0
    if !continues { PackingJournal.remove(of: path) }
  }

  /// Takes over what an earlier run of the same job left, where there is any.
  ///
  /// - Parameters:
  ///   - job: what the file's bytes depend on; nil where no other run is to go on with it.
  ///   - plans: all sections.
  /// - Throws: `PackedFileError`, `.otherWork` where an earlier run was of another job.
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

  /// Sections that are written.
  var sections: Int { writer.entries.count }

  func append(_ section: PackedSection) throws {
    try writer.append(section)
    if let entry = writer.entries.last { try journal?.append(entry) }
  }

  func finish(_ origin: Manifest.Origin, _ recipe: Recipe, configFiles: [String: String]) throws {
    try writer.finish(origin: origin, recipe: recipe.rules, configFiles: configFiles)
    PackingJournal.remove(of: path)
  }

  /// Decides what stays after a failure: the work of hours where packing the same again can succeed, nothing where
  /// something is wrong with the source. What an earlier run left and this one did not take up stays.
  func fail(_ error: any Error) {
    guard journal != nil else { return }
    let canSucceed = (error as? any ReportableError)?.kind.leavesWork ?? true
    writer.keepsUnfinished = canSucceed && sections > 0
    if !writer.keepsUnfinished { PackingJournal.remove(of: path) }
  }
}

extension ErrorKind {
  /// Whether the machine failed and not what it was given, so that what is packed by then can be gone on with.
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
