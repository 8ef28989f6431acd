import Dispatch
import SystemSupport
import VL2Base

extension PackedFile {
  /// Reads every byte and checks it against the checksums, on all cores; the bytes between sections must be
  /// zero. Head and manifest were checked on opening.
  ///
  /// - Parameter progress: receives the share done, 0 to 1; may be called from several threads, one at a time.
  /// - Throws: `PackedFileError.damagedSection` or `.damagedPadding` for the first damage in file order.
  public func verify(progress: (@Sendable (Double) -> Void)? = nil) throws {
    try surviveFaults()
    let sections = manifest.sections
    let total = max(1, sections.reduce(0) { $0 + $1.storedLength })
    let state = Monitor(VerificationState())
    DispatchQueue.concurrentPerform(iterations: sections.count) { index in
      let damage = damage(of: index)
      state.withLock { state in
        if let damage, index < state.first { (state.first, state.damage) = (index, damage) }
        state.done += sections[index].storedLength
        progress?(Double(state.done) / Double(total))
      }
    }
    try checkUnchanged()
    if let damage = state.withLock({ $0.damage }) { throw damage }
    let end = sections.last.map { $0.offset + $0.storedLength } ?? FileHead.length
    if !isZero(end..<manifestOffset) {
      throw PackedFileError.damagedPadding(path: path, before: "the manifest")
    }
  }

  /// What is wrong with a section or with the padding in front of it.
  private func damage(of index: Int) -> PackedFileError? {
    let entry = manifest.sections[index]
    let before = index == 0 ? nil : manifest.sections[index - 1]
    let start = before.map { $0.offset + $0.storedLength } ?? FileHead.length
    if !isZero(start..<entry.offset) { return .damagedPadding(path: path, before: "section \(entry.name)") }
    return isIntact(entry) ? nil : .damagedSection(path: path, section: entry.name)
  }

  private func isZero(_ range: Range<Int>) -> Bool { fileBytes(range).allSatisfy { $0 == 0 } }

  private func isIntact(_ entry: SectionEntry) -> Bool {
    let stored = fileBytes(entry.offset..<entry.offset + entry.storedLength)
    guard vl2_crc32c(0, stored.baseAddress, stored.count) == entry.crc32c else { return false }
    return (try? withSectionBytes(entry.name) { sha256Hexadecimal($0) == entry.sha256 }) ?? false
  }
}

private struct VerificationState {
  var done = 0
  var first = Int.max
  var damage: PackedFileError?
}
