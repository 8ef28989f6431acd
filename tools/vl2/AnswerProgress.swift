import Synchronization
import VL2Console
import VL2Run

extension AnswerEvent {
  /// What is being done, for a status line; nil for events that are something else.
  var status: String? {
    switch self {
    case .queued(let place): "waiting: \(place) before this one"
    case .looking(let layer, let all): "looking: layer \(layer) of \(all)"
    case .reading(let tokens, let all): "reading: \(tokens) of \(all) tokens"
    case .planned, .text, .boxes, .done: nil
    }
  }
}

/// A status line that says what is being done for an answer, and how much of the model's file has been read meanwhile.
final class AnswerProgress: Sendable {
  private let line = StatusLine()
  private let readAhead: ReadAhead?
  /// What is being done; nil while nothing is to be shown.
  private let step = Mutex<String?>(nil)

  init(_ engine: Engine) {
    readAhead = engine.readAhead
    readAhead?.onProgress { [weak self] _ in self?.show() }
  }

  /// Shows what is being done, from now on together with how much was read; "" for reading alone.
  func show(_ step: String) {
    self.step.withLock { $0 = step }
    show()
  }

  /// Clears the line, and leaves it so until the next step.
  func clear() {
    step.withLock { step in
      step = nil
      line.clear()
    }
  }

  /// The reading thread calls it too, but for a line that was cleared in the meantime.
  private func show() {
    step.withLock { step in
      guard let step else { return }
      let text = Self.text(step, readAhead?.progress.fraction)
      if !text.isEmpty { line.show(text) }
    }
  }

  static func text(_ step: String, _ fraction: Double?) -> String {
    let model = fraction.map { "reading the model: \(Int($0 * 100)) %" }
    return [step.isEmpty ? nil : step, model].compactMap { $0 }.joined(separator: "; ")
  }
}
