/// Whether a server is alive, by what it does: something is done for those who wait, or nobody waits; and the camera's loop goes
/// round, and its question is worked on. One that hangs is silent.
package struct SignsOfLife {
  private let server: Server
  private var progress: ContinuousClock.Instant?
  private var signs: LiveSource.Signs?

  package init(of server: Server) { self.server = server }

  /// Whether there was one since the last call.
  package mutating func areThere() -> Bool {
    let (newProgress, newSigns) = (server.lastProgress, server.live?.signs)
    defer { (progress, signs) = (newProgress, newSigns) }
    let hasProgress = newProgress != progress
    guard server.isIdle || hasProgress else { return false }
    guard let newSigns else { return true }
    guard newSigns.rounds != signs?.rounds else { return false }
    // It waits while people are answered.
    return newSigns.work == nil || newSigns.work != signs?.work || hasProgress
  }
}
