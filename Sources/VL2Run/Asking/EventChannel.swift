import VL2Base

/// The events of one answer, on their way from the thread that computes to the task that reads them. What a slow reader
/// has not taken yet is put together, so that it never takes more memory than the answer.
final class EventChannel: Sendable {
  private struct State {
    var waiting: [AnswerEvent] = []
    var readers: [CheckedContinuation<AnswerEvent?, Never>] = []
    /// Whether `done` was sent.
    var isDone = false
  }

  private let state = Monitor(State())

  func send(_ event: AnswerEvent) {
    let reader = state.withLock { state -> CheckedContinuation<AnswerEvent?, Never>? in
      if state.isDone { return nil }
      if case .done = event { state.isDone = true }
      if !state.readers.isEmpty { return state.readers.removeFirst() }
      if let last = state.waiting.last, let both = last.followed(by: event) {
        state.waiting[state.waiting.count - 1] = both
      } else {
        state.waiting.append(event)
      }
      return nil
    }
    reader?.resume(returning: event)
    if case .done = event { endReaders() }
  }

  /// The next event; nil after `done`.
  func next() async -> AnswerEvent? {
    await withCheckedContinuation { reader in
      let (event, isOver) = state.withLock { state -> (AnswerEvent?, Bool) in
        if !state.waiting.isEmpty { return (state.waiting.removeFirst(), true) }
        if state.isDone { return (nil, true) }
        state.readers.append(reader)
        return (nil, false)
      }
      if isOver { reader.resume(returning: event) }
    }
  }

  /// Other tasks that read the same events learn that there are no more.
  private func endReaders() {
    let readers = state.withLock { state in
      defer { state.readers = [] }
      return state.readers
    }
    for reader in readers { reader.resume(returning: nil) }
  }
}

extension AnswerEvent {
  /// Both events in one; nil where both are needed.
  fileprivate func followed(by next: AnswerEvent) -> AnswerEvent? {
    switch (self, next) {
    case (.queued, .queued), (.looking, .looking), (.reading, .reading): next
    case (.text(let first, let firstTokens), .text(let second, let secondTokens)):
      .text(first + second, firstTokens + secondTokens)
    case (.boxes(let first), .boxes(let second)): .boxes(first + second)
    default: nil
    }
  }
}
