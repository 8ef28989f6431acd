import Glibc
import SystemSupport
import VL2Base

/// Sections that are begun: their tensors arrive piece by piece, on any thread.
final class OpenSections: Sendable {
  private let plans: [SectionPlan]
  /// Pieces that each section is made of.
  private let pieces: [Int: Int]
  private let open = Monitor<[Int: OpenSection]>([:])

  init(_ plans: [SectionPlan], pieces: [Int: Int]) { (self.plans, self.pieces) = (plans, pieces) }

  /// The section with this index, which is begun where it is not yet.
  func section(_ index: Int) -> OpenSection {
    open.withLock { open in
      if let section = open[index] { return section }
      let section = OpenSection(plans[index], pieces: pieces[index] ?? 0)
      open[index] = section
      return section
    }
  }

  /// Forgets a section that is complete.
  func close(_ index: Int) { _ = open.withLock { $0.removeValue(forKey: index) } }
}

/// The bytes of a section that is begun.
final class OpenSection: @unchecked Sendable {
  let plan: SectionPlan
  /// Pieces write to different places.
  let bytes: UnsafeMutableRawBufferPointer
  /// One for each tensor; for the thread that takes the pieces in order alone.
  var errors: [CodeError]

  private let state: Monitor<State>

  private struct State {
    var left: Int
    var sums: (sha256: String, crc32c: UInt32)?
  }

  init(_ plan: SectionPlan, pieces: Int) {
    self.plan = plan
    errors = plan.tensors.map { _ in CodeError() }
    bytes = .allocate(byteCount: plan.length, alignment: 64)
    state = Monitor(State(left: pieces))
    plan.clearPadding(bytes)
  }

  deinit { bytes.deallocate() }

  /// Must be called after each piece. The last one takes the sums of the whole.
  func endPiece() {
    guard
      state.withLock({ state in
        state.left -= 1
        return state.left == 0
      })
    else { return }
    let raw = UnsafeRawBufferPointer(bytes)
    let sums = (sha256Hexadecimal(raw), vl2_crc32c(0, raw.baseAddress, raw.count))
    state.withLock { $0.sums = sums }
  }

  /// The complete section as it stands in a packed file at `offset`; nil before its last piece has ended.
  func entry(at offset: Int) -> SectionEntry? {
    guard let sums = state.withLock({ $0.sums }) else { return nil }
    return SectionEntry(
      name: plan.name, offset: offset, storedLength: bytes.count, rawLength: bytes.count, encoding: .raw,
      sha256: sums.sha256, crc32c: sums.crc32c, tensors: plan.tensors(with: errors))
  }
}
