import Glibc
import VL2Base

/// The open connections, and a thread that ends those that take too long and notices clients that go away.
///
/// libmicrohttpd counts only how long a connection is idle: a byte a second keeps it open for ever. And it does not look
/// at connections while they are suspended.
final class Connections: Sendable {
  typealias Number = Int

  /// What a connection is doing.
  private enum Phase { case head, body, writing, answering, over }

  private struct Entry {
    var descriptor: Int32
    var phase = Phase.head
    /// When the phase began.
    var since = ContinuousClock.now
    /// When the phase has to be over.
    var due: ContinuousClock.Instant?
    var exchange: Exchange?
    /// Whether its first request was refused before libmicrohttpd saw it.
    var isRefused = false
    /// What is to be done again and again as long as the answer is not there.
    var reminder: Reminder?
  }

  private struct Reminder {
    let seconds: Double
    let action: @Sendable () -> Void
    var due: ContinuousClock.Instant
  }

  private struct State {
    var entries: [Number: Entry] = [:]
    var last = 0
    /// Whether somebody waits to be accepted for whom there is no descriptor.
    var isFull = false
    var isStopped = false
  }

  private let limits: TransportLimits
  private let state = Monitor(State())
  /// A pipe's two ends: a byte wakes the thread.
  private let wakes, wake: Int32

  /// - Throws: `ThreadError`, `DescriptorError`.
  init(_ limits: TransportLimits) throws {
    self.limits = limits
    var ends: [Int32] = [-1, -1]
    guard pipe(&ends) == 0 else { throw DescriptorError(limit: DescriptorLimit.read().limit) }
    for end in ends {
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
    }
    (wakes, wake) = (ends[0], ends[1])
    try SystemThread.start("vl2-connections") { self.watch() }
  }

  deinit {
    Glibc.close(wake)
    Glibc.close(wakes)
  }

  // MARK: what happens to a connection, on libmicrohttpd's thread

  func open(_ descriptor: Int32) -> Number {
    let number = state.withLock { state in
      state.last += 1
      state.entries[state.last] = Entry(descriptor: descriptor, due: .now + .seconds(limits.headSeconds))
      // Whoever has just come has time to ask.
      if state.entries.count > limits.connections,
        let slowest = Self.slowest(state, in: [.head, .body, .writing], but: state.last)
      {
        Self.end(slowest, &state)
      }
      return state.last
    }
    tell()
    return number
  }

  func close(_ number: Number) {
    state.withLock { state in
      state.entries[number] = nil
      state.isFull = false
    }
  }

  /// There is no descriptor left for somebody who wants to connect. libmicrohttpd accepts nobody until a connection ends,
  /// which may be never: so the thread ends the one that has asked nothing for the longest time, once that is a second, and
  /// until then the first one that is answered.
  func isFull() {
    state.withLock { $0.isFull = true }
    tell()
  }

  /// The first request was refused; libmicrohttpd may still read it.
  func refuse(_ number: Number) { state.withLock { $0.entries[number]?.isRefused = true } }

  func isRefused(_ number: Number) -> Bool { state.withLock { $0.entries[number]?.isRefused ?? false } }

  func receivesBody(_ number: Number) { change(number, .body, seconds: limits.bodySeconds) }

  /// From now on a client that goes away is noticed.
  func answers(_ number: Number, _ exchange: Exchange) {
    state.withLock { state in
      state.entries[number]?.phase = .answering
      state.entries[number]?.due = nil
      state.entries[number]?.exchange = exchange
    }
    tell()
  }

  /// Calls `action` every so many seconds until the response is complete or the client is gone.
  func remind(
    _ number: Number, _ exchange: Exchange, every seconds: Double, _ action: @escaping @Sendable () -> Void
  ) {
    state.withLock { state in
      guard state.entries[number]?.exchange === exchange else { return }
      state.entries[number]?.reminder = Reminder(
        seconds: seconds, action: action, due: .now + .seconds(seconds))
    }
    tell()
  }

  /// The response is complete and has only to be taken.
  func writes(_ number: Number) { change(number, .writing, seconds: limits.writeSeconds) }

  /// The same, unless the connection has another request by now: who says so may be late.
  func writes(_ number: Number, _ exchange: Exchange) {
    change(number, .writing, seconds: limits.writeSeconds, of: exchange)
  }

  /// A response was taken, and another request may come.
  func isIdle(_ number: Number) {
    change(number, .head, seconds: limits.idleSeconds)
    state.withLock { if $0.isFull { Self.end(number, &$0) } }
  }

  /// - Parameter exchange: the one that has to be answered at the moment, where that matters.
  private func change(_ number: Number, _ phase: Phase, seconds: Double, of exchange: Exchange? = nil) {
    state.withLock { state in
      guard state.entries[number]?.phase != .over else { return }
      if let exchange, state.entries[number]?.exchange !== exchange { return }
      state.entries[number]?.phase = phase
      state.entries[number]?.since = .now
      state.entries[number]?.due = .now + .seconds(seconds)
      state.entries[number]?.exchange = nil
      state.entries[number]?.reminder = nil
    }
    tell()
  }

  private func tell() {
    // Where the pipe is full, the thread wakes anyway.
    var byte: UInt8 = 0
    _ = write(wake, &byte, 1)
  }

  /// The connection that has been at the same for the longest time, of those in some phases.
  private static func slowest(_ state: State, in phases: Set<Phase>, but newest: Number? = nil) -> Number? {
    state.entries.filter { $0.key != newest && phases.contains($0.value.phase) }
      .min { $0.value.since < $1.value.since }?.key
  }

  /// Ends a connection where there is no descriptor for another one.
  ///
  /// - Returns: when one can be ended; nil where that is not needed any more, or not possible.
  private static func makeRoom(_ state: inout State, _ now: ContinuousClock.Instant)
    -> ContinuousClock.Instant?
  {
    guard state.isFull, let slowest = slowest(state, in: [.head]), let since = state.entries[slowest]?.since
    else {
      return nil
    }
    let due = since + .seconds(1)
    if due > now { return due }
    end(slowest, &state)
    state.isFull = false
    return nil
  }

  /// libmicrohttpd notices and closes the descriptor, after it took the entry out: it is not another's yet.
  private static func end(_ number: Number, _ state: inout State) {
    guard let entry = state.entries[number] else { return }
    shutdown(entry.descriptor, Int32(SHUT_RDWR))
    state.entries[number]?.phase = .over
    state.entries[number]?.due = nil
  }

  // MARK: the thread

  /// Ends the questions of all clients, and the thread.
  func stop() {
    let exchanges = state.withLock { state in
      state.isStopped = true
      return state.entries.values.compactMap(\.exchange)
    }
    for exchange in exchanges { exchange.depart() }
    tell()
  }

  /// Connections whose questions are being answered.
  var answering: Int {
    state.withLock { state in state.entries.values.count(where: { $0.phase == .answering }) }
  }

  private func watch() {
    while true {
      let now = ContinuousClock.now
      let (watched, next, isStopped, reminders) = state.withLock {
        state -> ([(Number, Int32)], Double?, Bool, [@Sendable () -> Void]) in
        for (number, entry) in state.entries where entry.due.map({ $0 <= now }) ?? false {
          Self.end(number, &state)
        }
        let watched = state.entries.filter { $0.value.exchange != nil }
        let reminders = Self.takeReminders(&state, now)
        let dues = state.entries.values.flatMap { [$0.due, $0.reminder?.due] } + [Self.makeRoom(&state, now)]
        let next = dues.compactMap { $0 }.min()
        return (
          watched.map { ($0.key, $0.value.descriptor) }, next.map { ($0 - now) / .seconds(1) },
          state.isStopped, reminders
        )
      }
      if isStopped { return }
      for remind in reminders { remind() }
      var polled = [pollfd(fd: wakes, events: Int16(POLLIN), revents: 0)]
      polled += watched.map { pollfd(fd: $0.1, events: Self.departed, revents: 0) }
      let milliseconds = next.map { Int32(min(max($0, 0) * 1000 + 1, 3_600_000)) } ?? -1
      guard poll(&polled, nfds_t(polled.count), milliseconds) > 0 else { continue }
      var bytes = [UInt8](repeating: 0, count: 256)
      if polled[0].revents != 0 { _ = read(wakes, &bytes, bytes.count) }
      let gone = zip(watched, polled.dropFirst()).filter { $1.revents != 0 }.map(\.0.0)
      let exchanges = state.withLock { state in
        gone.compactMap { number -> Exchange? in
          defer {
            state.entries[number]?.exchange = nil
            state.entries[number]?.reminder = nil
          }
          return state.entries[number]?.exchange
        }
      }
      for exchange in exchanges { exchange.depart() }
    }
  }

  private static func takeReminders(_ state: inout State, _ now: ContinuousClock.Instant)
    -> [@Sendable () -> Void]
  {
    state.entries.compactMap { number, entry in
      guard let reminder = entry.reminder, reminder.due <= now else { return nil }
      state.entries[number]?.reminder?.due = now + .seconds(reminder.seconds)
      return reminder.action
    }
  }

  /// The client has closed its side, or more.
  private static let departed = Int16(0x2000) | Int16(POLLERR) | Int16(POLLHUP)  // 0x2000: POLLRDHUP
}
