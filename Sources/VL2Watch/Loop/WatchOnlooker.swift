import VL2Frames
import VL2Run

/// Somebody who looks on while a loop runs. All is called on the loop's thread but `works`, and must not wait.
package struct WatchOnlooker {
  /// Takes each frame that is looked at, and what of it is: all of it, unless there is a region or a mask.
  package var sees: (_ frame: Frame, _ picture: Picture, _ isWhole: Bool) -> Void
  /// Takes why a frame is asked about from now on; nil where none is.
  package var asks: (_ reason: String?) -> Void
  /// Takes whether the answer that was told last to a question is still its answer, where none is told.
  package var judges: (_ question: String, _ holds: Bool) -> Void
  /// The loop goes round.
  package var goesRound: () -> Void
  /// Something was done for the question at work. Called on any thread.
  package var works: @Sendable () -> Void

  package init(
    sees: @escaping (_ frame: Frame, _ picture: Picture, _ isWhole: Bool) -> Void,
    asks: @escaping (_ reason: String?) -> Void,
    judges: @escaping (_ question: String, _ holds: Bool) -> Void, goesRound: @escaping () -> Void,
    works: @escaping @Sendable () -> Void
  ) {
    self.sees = sees
    self.asks = asks
    self.judges = judges
    self.goesRound = goesRound
    self.works = works
  }
}
