import VL2Base

/// What happened to a source of frames.
package enum SourceEvent: Sendable, Equatable {
  /// It failed or ended; it is tried again and again. The value is why.
  case gone(String)
  /// It has given no frame for so many seconds.
  case hung(seconds: Double)
  /// It gives frames again.
  case back
}

/// A source that is kept going: one that fails or hangs is ended and started again, with growing pauses.
package final class KeptSource {
  package enum Arrival: Sendable {
    case frame(Frame)
    case nothing
    case event(SourceEvent)
    case end
  }

  private enum State {
    /// Since then it has given no frame.
    case running(since: ContinuousClock.Instant)
    case waiting(until: ContinuousClock.Instant)
  }

  package let source: any FrameSource
  private let hungAfter: Double?
  private let firstPause: Double
  private let longestPause: Double
  private var state = State.running(since: .now)
  private var pause: Double
  /// Seconds without a frame after which it is started again. They grow as the pauses do: what takes long to begin, on a machine
  /// that is busy, must not be ended again and again before its first frame.
  private var patience: Double?
  /// Whether somebody was told that there are no frames.
  private var isMissed = false
  /// The frame with which it came back, for the next call.
  private var held: Frame?

  /// - Parameters:
  ///   - hungAfter: seconds without a frame after which a source hangs; nil for one that may be silent.
  ///   - firstPause: seconds until it is started again; each further time twice as many.
  package init(
    _ source: any FrameSource, hungAfter: Double?, firstPause: Double = 1, longestPause: Double = 60
  ) {
    self.source = source
    self.hungAfter = hungAfter
    self.firstPause = firstPause
    self.longestPause = longestPause
    pause = firstPause
    patience = hungAfter
  }

  deinit { source.stop() }

  /// Begins.
  ///
  /// - Throws: what the source does: what is wrong from the start is for whoever gave it.
  package func start() throws {
    try source.start()
    state = .running(since: .now)
  }

  /// Has `next` begin; a source that cannot be had yet is an event, and waited for.
  package func startLater() { state = .waiting(until: .now) }

  package func stop() { source.stop() }

  /// Waits for a frame or for something to tell, at most so many seconds.
  package func next(within seconds: Double) -> Arrival {
    if let frame = held {
      held = nil
      return .frame(frame)
    }
    switch state {
    case .waiting(let until):
      let left = (until - .now) / .seconds(1)
      SystemThread.sleep(max(0, min(seconds, left)))
      guard left <= seconds else { return .nothing }
      do {
        try start()
      } catch {
        return failed(error)
      }
      return .nothing
    case .running(let since):
      do {
        switch try source.next(within: seconds) {
        case .frame(let frame): return arrived(frame)
        case .end: return .end
        case .nothing: return silent(since)
        }
      } catch {
        return failed(error)
      }
    }
  }

  private func arrived(_ frame: Frame) -> Arrival {
    state = .running(since: .now)
    (pause, patience) = (firstPause, hungAfter)
    guard isMissed else { return .frame(frame) }
    isMissed = false
    held = frame
    return .event(.back)
  }

  private func silent(_ since: ContinuousClock.Instant) -> Arrival {
    guard let hungAfter, let patience, (.now - since) / .seconds(1) > patience else { return .nothing }
    if source.isRestartable {
      self.patience = min(2 * patience, max(hungAfter, Self.longestPatience))
      rest()
    } else {
      state = .running(since: .now)
    }
    return miss(.hung(seconds: hungAfter))
  }

  private func failed(_ error: any Error) -> Arrival {
    guard source.isRestartable else { return .end }
    rest()
    return miss(.gone((error as? any ReportableError)?.problem ?? "\(error)"))
  }

  private static let longestPatience = 120.0

  private func rest() {
    source.stop()
    state = .waiting(until: .now + .seconds(pause))
    pause = min(2 * pause, longestPause)
  }

  /// Says it once.
  private func miss(_ event: SourceEvent) -> Arrival {
    if isMissed { return .nothing }
    isMissed = true
    return .event(event)
  }
}
