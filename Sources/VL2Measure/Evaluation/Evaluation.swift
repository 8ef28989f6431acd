/// Right answers, counted by task.
package struct Evaluation: Sendable {
  package struct Score: Sendable, Equatable {
    package var items = 0
    package var right = 0

    /// Right answers as a fraction of all, 0...1; 0 if there are no items.
    package var accuracy: Double { items > 0 ? Double(right) / Double(items) : 0 }

    mutating func add(isRight: Bool) {
      items += 1
      if isRight { right += 1 }
    }
  }

  package private(set) var tasks: [String: Score] = [:]
  /// Over all items, each counted the same whatever its task.
  package private(set) var overall = Score()

  package init() {}

  package mutating func add(task: String, isRight: Bool) {
    tasks[task, default: Score()].add(isRight: isRight)
    overall.add(isRight: isRight)
  }
}
