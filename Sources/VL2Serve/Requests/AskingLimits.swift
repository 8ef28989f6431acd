/// What questions may take.
package struct AskingLimits: Sendable {
  /// Seconds from the arrival of a question to the last byte of its answer.
  package var deadline = 50.0
  /// Questions that may wait.
  package var waiting = 4
  /// The most tiles for all pictures of a question; nil for as many as there is time for.
  package var mostTiles: Int?
  /// Tokens of an answer where the question does not say.
  package var maxTokens = 512
  package var pictures = PictureLimits()

  package init() {}
}
