import Glibc
import SystemSupport

/// A program that this process started, for one thread alone.
///
/// It has a process group of its own, three descriptors and no other, and signals as a fresh process has them. Nothing here
/// waits without a limit of time, and no thread is needed: who owns a child calls `read` again and again, which also hands
/// on its input and takes what it writes to standard error. With the child its whole group ends; a process that made itself
/// a group of its own is out of reach. It is always reaped, at the latest when nobody holds it any more.
package final class Child {
  /// What there is to read.
  package enum Output: Equatable {
    case bytes
    /// Nothing came within the time.
    case nothing
    /// Nothing will come any more.
    case over
  }

  package let command: ChildCommand
  /// The last line of standard error so far, made fit for a message.
  package var lastLine: String { UntrustedText.line(String(decoding: errorLine, as: UTF8.self)) }
  private let process: Int32
  // -1 once closed.
  private var input: Int32
  private var output: Int32
  private var errors: Int32
  private var unwritten: ArraySlice<UInt8>
  private var isInputComplete: Bool
  private var errorLine: [UInt8] = []
  private var isLineOver = false
  private var ended: ChildEnd?

  /// Starts a program.
  ///
  /// - Parameters:
  ///   - bytes: what it can read from standard input; nil for nothing, as from /dev/null.
  ///   - isComplete: whether that is all; else `give` adds to it until `endInput`.
  /// - Throws: `ChildError.missing`, `.notStarted`.
  package init(
    _ command: ChildCommand, input bytes: [UInt8]? = nil, isComplete: Bool = true
  ) throws(ChildError) {
    let (path, words) = try command.resolved()
    var pipes: [(read: Int32, write: Int32)] = []
    func closePipes() { for pipe in pipes { for end in [pipe.read, pipe.write] { close(end) } } }
    func refuse(_ number: Int32) -> ChildError {
      closePipes()
      return .notStarted(program: command.name, reason: String(cString: strerror(number)).lowercased())
    }
    for _ in 0..<(bytes == nil ? 2 : 3) {
      var ends: [Int32] = [-1, -1]
      let status = vl2_pipe(&ends)
      guard status == 0 else { throw refuse(status) }
      pipes.append((ends[0], ends[1]))
    }
    var child: Int32 = 0
    var arguments = words.map { strdup($0) } + [nil]
    let status = vl2_child_start(
      path, &arguments, bytes == nil ? -1 : pipes[2].read, pipes[0].write, pipes[1].write,
      command.endsWithThread ? 1 : 0, &child)
    for argument in arguments { free(argument) }
    guard status == 0 else { throw refuse(status) }
    close(pipes[0].write)
    close(pipes[1].write)
    if bytes != nil { close(pipes[2].read) }
    self.command = command
    process = child
    output = pipes[0].read
    errors = pipes[1].read
    input = bytes == nil ? -1 : pipes[2].write
    unwritten = (bytes ?? [])[...]
    isInputComplete = isComplete
    for end in [input, output, errors] where end >= 0 { _ = fcntl(end, F_SETFL, O_NONBLOCK) }
    if unwritten.isEmpty, isInputComplete { shut(&input) }
  }

  deinit { end(within: 0) }

  /// Whether the process that was started has ended; others of its group may be there.
  package var hasEnded: Bool { ended != nil || vl2_child_has_ended(process) != 0 }

  /// Adds to what it can read from standard input. It is kept until the child reads it: the caller bounds it.
  package func give(_ bytes: [UInt8]) {
    // A child that reads no more needs none.
    guard input >= 0 else { return }
    unwritten += bytes
    writeInput()
  }

  /// Says that no more will be given.
  package func endInput() {
    isInputComplete = true
    writeInput()
  }

  /// Waits for output.
  ///
  /// - Parameters:
  ///   - bytes: what came is added here.
  ///   - most: the most bytes to add.
  ///   - seconds: the longest time to wait for the first of them.
  package func read(into bytes: inout [UInt8], atMost most: Int, within seconds: Double) -> Output {
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
      // Looked at before reading: what it wrote is there by then.
      let isLast = hasEnded
      writeInput()
      readErrors()
      if output < 0 { return .over }
      switch take(from: output, atMost: most, into: &bytes) {
      case .bytes: return .bytes
      case .over:
        shut(&output)
        return .over
      // Others of its group may hold the pipe, but nobody who was asked for is there.
      case .nothing where isLast: return .over
      case .nothing: break
      }
      let left = (end - .now) / .seconds(1)
      guard left > 0 else { return .nothing }
      // A child that ends while another process holds its pipes wakes nobody.
      wait(min(left, 0.1))
    }
  }

  /// Ends the child's group: asks with SIGTERM, and with SIGKILL those that are there after a while.
  ///
  /// - Parameter seconds: how long they may take.
  @discardableResult
  package func end(within seconds: Double = 1) -> ChildEnd {
    if let ended { return ended }
    shut(&input)
    let end = ContinuousClock.now + .seconds(seconds)
    var isAsked = false
    while true {
      drop()
      // Who holds the other ends of the pipes belongs to it too and may take the time.
      if hasEnded, output < 0, errors < 0 { break }
      if !isAsked {
        kill(-process, SIGTERM)
        isAsked = true
      }
      guard ContinuousClock.now < end else { break }
      wait(0.01)
      SystemThread.sleep(0.005)
    }
    // The group has this number until the child is reaped, so nobody else is met.
    kill(-process, SIGKILL)
    readErrors()
    shut(&output)
    shut(&errors)
    let status = vl2_child_reap(process)
    let found = status < -1 ? ChildEnd.signal(-1 - status) : .status(status)
    ended = found
    return found
  }

  /// Waits until the child does something, at most so many seconds.
  private func wait(_ seconds: Double) {
    var places: [pollfd] = []
    if input >= 0, !unwritten.isEmpty { places.append(pollfd(fd: input, events: Int16(POLLOUT), revents: 0)) }
    for end in [output, errors] where end >= 0 {
      places.append(pollfd(fd: end, events: Int16(POLLIN), revents: 0))
    }
    poll(&places, nfds_t(places.count), Int32((seconds * 1000).rounded(.up)))
  }

  private func shut(_ end: inout Int32) {
    if end >= 0 { close(end) }
    end = -1
  }

  private func writeInput() {
    while input >= 0, !unwritten.isEmpty {
      let count = unwritten.withUnsafeBytes { vl2_write_pipe(input, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN { return }
      // A child need not read what it is given.
      if count < 0 { return shut(&input) }
      unwritten = unwritten.dropFirst(count)
    }
    if isInputComplete { shut(&input) }
  }

  /// Takes what there is of standard error, and keeps the last line that is not empty.
  private func readErrors() {
    var bytes: [UInt8] = []
    // Not for ever, where more comes faster than it is read.
    for _ in 0..<16 where errors >= 0 {
      switch take(from: errors, atMost: 1 << 16, into: &bytes) {
      case .bytes: break
      case .nothing: return keepLine(bytes)
      case .over: shut(&errors)
      }
    }
    keepLine(bytes)
  }

  private func keepLine(_ bytes: [UInt8]) {
    for byte in bytes {
      if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
        isLineOver = true
      } else {
        if isLineOver { errorLine.removeAll(keepingCapacity: true) }
        isLineOver = false
        if errorLine.count < Self.longestLine { errorLine.append(byte) }
      }
    }
  }

  private static let longestLine = 300

  /// Kills all children of this process, with their groups. For a handler of signals, right before the process ends.
  package static func killAll() { vl2_children_kill() }

  /// Takes what nobody wants any more, so that it keeps no child from ending.
  private func drop() {
    var bytes: [UInt8] = []
    for _ in 0..<16 where output >= 0 {
      bytes.removeAll(keepingCapacity: true)
      switch take(from: output, atMost: 1 << 16, into: &bytes) {
      case .bytes: continue
      case .nothing: return readErrors()
      case .over: shut(&output)
      }
    }
    readErrors()
  }

  private func take(from end: Int32, atMost most: Int, into bytes: inout [UInt8]) -> Output {
    let room = min(most, 1 << 18)
    var count = 0
    let piece = [UInt8](unsafeUninitializedCapacity: room) { buffer, initialized in
      repeat { count = Glibc.read(end, buffer.baseAddress, room) } while count < 0 && errno == EINTR
      initialized = max(0, count)
    }
    if count < 0 { return errno == EAGAIN ? .nothing : .over }
    if count == 0 { return .over }
    bytes += piece
    return .bytes
  }
}
