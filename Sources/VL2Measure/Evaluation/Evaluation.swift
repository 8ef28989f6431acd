/// Right answers, counted by task.
public struct Evaluation: Sendable {
  public struct Score: Sendable, Equatable {
    public var items = 0
    public var right = 0

    /// Right answers as a part of all, 0...1; 0 without items.
    public var accuracy: Double { items > 0 ? Double(right) / Double(items) : 0 }

    mutating func add(isRight: Bool) {
      items += 1
      if isRight { right += 1 }
    }
  }

  public private(set) var tasks: [String: Score] = [:]
  /// Of all items, each counted the same whatever its task.
  public private(set) var overall = Score()

  public init() {}

  public mutating func add(task: String, isRight: Bool) {
    tasks[task, default: Score()].add(isRight: isRight)
    overall.add(isRight: isRight)
  }
}
