import VL2Base
import VL2Frames
import VL2Run

/// What `vl2 watch` looks at, when it asks, and what.
package struct WatchConfiguration: Sendable {
  /// A camera, as `CameraSources` reads it.
  package var camera = ""
  /// What is wished of a camera in /dev.
  package var wish = CameraWish()
  package var questions: [WatchQuestion] = []
  /// The part of the picture that is looked at; nil for all.
  package var region: FrameRegion?
  /// Parts that nobody looks at.
  package var mask: [FrameRegion] = []
  /// Whether tiles that look as they did keep their encoding.
  package var reuse = TileReuse.forWatching
  /// Whether a change is a reason to ask.
  package var asksOnChange = true
  /// Seconds from one frame that is asked about to the next, changed or not; nil for changes alone.
  package var every: Double?
  /// How often frames are looked at, for changes.
  package var looksPerSecond = 2.0
  /// Frames that have to agree after a change; nil for as the source is: 2 of a stream, 1 of a folder.
  package var settlingFrames: Int?
  /// Seconds without a frame after which a camera hangs; nil for as the source is: 10 for a stream, never for a folder.
  package var hungAfter: Double?
  /// Seconds after which frames that are the same to the last bit are frozen; nil for never.
  package var frozenAfter: Double? = 60
  /// Whether the pictures that are in a folder already are frames.
  package var fromStart = false
  /// A line for the shell to which each answer is handed.
  package var action: String?
  /// The most seconds that it may take, from when it has all of an answer.
  package var actionSeconds = 30.0
  /// Where frames are kept that were answered; nil for nowhere.
  package var keeping: FrameKeeping?

  package init() {}

  /// What frames come from. Nothing is started.
  ///
  /// - Throws: `SourceError`.
  package func source() throws(SourceError) -> any FrameSource {
    try CameraSources.source(camera, wish, fromStart: fromStart, looksPerSecond: looksPerSecond)
  }
}

/// Which frames are kept in a folder.
package struct FrameKeeping: Sendable, Equatable {
  package var folder: String
  /// The most bytes of all of them together.
  package var bytes = 200 << 20
  /// The most seconds for which one is kept.
  package var age = 7 * 86_400.0

  package init(folder: String) { self.folder = folder }
}

/// A question that is asked about frames.
package struct WatchQuestion: Sendable {
  package enum Telling: String, Sendable, CaseIterable {
    /// Each answer.
    case always
    /// Answers that differ from the last one that was told.
    case changes
  }

  package var name: String
  package var text: String
  /// Whether the text is no question but describes what is to be found, with boxes.
  package var finds = false
  package var form = AnswerForm.free
  /// A choice that is less likely is no answer.
  package var leastProbability = 0.0
  package var telling = Telling.changes
  /// How many frames in a row must give an answer before it is told.
  package var holds = 1
  package var maxTokens = 128

  package init(name: String, text: String) {
    self.name = name
    self.text = text
  }

  /// Whether each answer is told as it is, so that its sentences can be told before its end.
  var isToldAsWritten: Bool {
    guard case .free = form else { return false }
    return telling == .always && holds == 1 && !finds
  }
}
