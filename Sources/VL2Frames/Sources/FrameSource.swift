/// Something that frames come from. One thread starts it, asks it for frames and stops it; nothing in it waits longer than it
/// is told.
package protocol FrameSource: AnyObject {
  /// What messages call it.
  var name: String { get }
  /// Whether only the newest frame counts. Others are looked at in their order, none is left out, and they wait.
  var isLive: Bool { get }
  /// Whether it can be started again after it failed or hung.
  var isRestartable: Bool { get }
  /// How many frames in a row have to agree before a change counts, where nobody says otherwise. Of pictures that a camera makes
  /// when something happens, each stands for itself.
  var framesToSettle: Int { get }
  /// Frames that were left out for newer ones, and what was no whole frame; from the first start on.
  var counts: FrameCounts { get }

  /// Begins, or begins again after `stop`.
  ///
  /// - Throws: a `ReportableError` where it cannot be had.
  func start() throws
  /// Waits for a frame, at most so many seconds.
  ///
  /// - Throws: a `ReportableError` where there is no more of it unless it is started again.
  func next(within seconds: Double) throws -> FrameArrival
  /// Lets go of everything that it holds.
  func stop()
}

extension FrameSource {
  package var framesToSettle: Int { 2 }
}

package enum FrameArrival: Sendable {
  case frame(Frame)
  case nothing
  /// There will be no more.
  case end
}

package struct FrameCounts: Sendable, Equatable {
  package var dropped = 0
  package var broken = 0

  package init(dropped: Int = 0, broken: Int = 0) {
    self.dropped = dropped
    self.broken = broken
  }
}
