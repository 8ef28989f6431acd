/// A thread that does pieces of work one after the other, in the order in which they were added.
///
/// A server has it, and no tasks of Swift's: those run on libdispatch's pool of threads, which looks at each of its threads
/// through a file of /proc once a second, and ends the process where it cannot open one: where all descriptors are taken.
package final class SerialThread: Sendable {
  private struct State {
    var waiting: [@Sendable () -> Void] = []
    var isOver = false
  }

  private let state = Monitor(State())

  /// - Throws: `ThreadError`.
  package init(_ name: String) throws(ThreadError) {
    let state = state
    try SystemThread.start(name) { Self.work(state) }
  }

  /// What was added is still done.
  deinit { state.change { $0.isOver = true } }

  package func add(_ work: @escaping @Sendable () -> Void) { state.change { $0.waiting.append(work) } }

  private static func work(_ state: Monitor<State>) {
    func next() -> (@Sendable () -> Void)? {
      state.wait { state -> (@Sendable () -> Void)?? in
        if !state.waiting.isEmpty { return .some(state.waiting.removeFirst()) }
        return state.isOver ? .some(nil) : nil
      }
    }
    while let work = next() { work() }
  }
}
