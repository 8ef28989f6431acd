import Foundation
import SystemSupport

extension PackedFile {
  /// Reads every byte and holds it against the checksums, on all cores.
  ///
  /// - Parameter progress: receives the share done, 0 to 1; may be called from several threads, one at a time.
  /// - Throws: `PackedFileError.damagedSection`, which names the first damaged section in file order.
  public func verify(progress: (@Sendable (Double) -> Void)? = nil) throws {
    let sections = manifest.sections
    let total = max(1, sections.reduce(0) { $0 + $1.storedLength })
    let state = VerificationState()
    DispatchQueue.concurrentPerform(iterations: sections.count) { index in
      let good = isIntact(sections[index])
      state.lock.lock()
      defer { state.lock.unlock() }
      if !good { state.damaged = min(state.damaged ?? index, index) }
      state.done += sections[index].storedLength
      progress?(Double(state.done) / Double(total))
    }
    if let index = state.damaged {
      throw PackedFileError.damagedSection(path: path, section: sections[index].name)
    }
  }

  private func isIntact(_ entry: SectionEntry) -> Bool {
    guard vl2_crc32c(0, storedAddress(of: entry), entry.storedLength) == entry.crc32c else { return false }
    return (try? withSectionBytes(entry.name) { sha256Hexadecimal($0) == entry.sha256 }) ?? false
  }
}

private final class VerificationState: @unchecked Sendable {
  let lock = NSLock()
  var done = 0
  var damaged: Int?
}
