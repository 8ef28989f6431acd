import Foundation
import SystemSupport

extension PackedFile {
  /// Reads every byte of the file and holds it against the checksums, on all cores. Head and manifest were checked
  /// when the file was opened.
  ///
  /// - Parameter progress: receives the share done, 0 to 1; may be called from several threads, one at a time.
  /// - Throws: `PackedFileError.damagedSection` or `.damagedPadding`, whichever comes first in the file.
  public func verify(progress: (@Sendable (Double) -> Void)? = nil) throws {
    let sections = manifest.sections
    let total = max(1, sections.reduce(0) { $0 + $1.storedLength })
    let state = VerificationState()
    DispatchQueue.concurrentPerform(iterations: sections.count) { index in
      let damage = damage(of: index)
      state.lock.lock()
      defer { state.lock.unlock() }
      if let damage, index < state.first { (state.first, state.damage) = (index, damage) }
      state.done += sections[index].storedLength
      progress?(Double(state.done) / Double(total))
    }
    if let damage = state.damage { throw damage }
  }

  /// What is wrong with a section, the padding in front of it, and behind the last one.
  private func damage(of index: Int) -> PackedFileError? {
    let sections = manifest.sections
    let entry = sections[index]
    func end(_ entry: SectionEntry) -> Int { entry.offset + entry.storedLength }
    let start = index == 0 ? FileHead.length : end(sections[index - 1])
    guard fileBytes(start..<entry.offset).allSatisfy({ $0 == 0 }) else {
      return .damagedPadding(path: path, before: "section \(entry.name)")
    }
    guard isIntact(entry) else { return .damagedSection(path: path, section: entry.name) }
    if index == sections.count - 1 {
      let manifestOffset = FileHead.padded(end(entry), to: FileHead.manifestAlignment)
      guard fileBytes(end(entry)..<manifestOffset).allSatisfy({ $0 == 0 }) else {
        return .damagedPadding(path: path, before: "the manifest")
      }
    }
    return nil
  }

  private func isIntact(_ entry: SectionEntry) -> Bool {
    let stored = fileBytes(entry.offset..<entry.offset + entry.storedLength)
    guard vl2_crc32c(0, stored.baseAddress, stored.count) == entry.crc32c else { return false }
    return (try? withSectionBytes(entry.name) { sha256Hexadecimal($0) == entry.sha256 }) ?? false
  }
}

private final class VerificationState: @unchecked Sendable {
  let lock = NSLock()
  var done = 0
  var first = Int.max
  var damage: PackedFileError?
}
