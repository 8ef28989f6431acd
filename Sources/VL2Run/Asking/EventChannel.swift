import VL2Base

/// The events of one answer, on their way from the thread that computes to whoever takes them: tasks that read them, or a
/// receiver that is called. What a slow reader has not taken yet is put together, so that it never takes more memory than
/// the answer.
final class EventChannel: Sendable {
  private struct State {
    var waiting: [AnswerEvent] = []
    var readers: [CheckedContinuation<AnswerEvent?, Never>] = []
    var receiver: (@Sendable (AnswerEvent) -> Void)?
    /// Whether `done` was sent.
    var isDone = false
  }

  private let state = Monitor(State())

  func send(_ event: AnswerEvent) {
    let reader = state.withLock { state -> CheckedContinuation<AnswerEvent?, Never>? in
      if state.isDone { return nil }
      if case .done = event { state.isDone = true }
      if let receiver = state.receiver {
        // The receiver may hold whoever holds this channel.
        if state.isDone { state.receiver = nil }
        receiver(event)
        return nil
      }
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

  /// From now on `receiver` is called with each event, on the thread that sends it, and first with those that wait. It
  /// must not use this channel.
  func setReceiver(_ receiver: @escaping @Sendable (AnswerEvent) -> Void) {
    state.withLock { state in
      if !state.isDone { state.receiver = receiver }
      for event in state.waiting { receiver(event) }
      state.waiting = []
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
