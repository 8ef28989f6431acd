import VL2Base

/// MJPEG that a program writes to its standard output; the program is ours to start and to end.
package final class CommandSource: FrameSource {
  package let name: String
  package let isLive = true
  package let isRestartable = true
  private var command: ChildCommand
  /// What must not be told, as it may have a password in it; nil for nothing.
  private let secret: String?
  private var child: Child?
  private var splitter = JPEGSplitter()
  private var newest = NewestFrame()
  private var brokenBefore = 0

  /// - Parameter secret: a word of the command of which messages say `name` instead.
  package init(_ command: ChildCommand, name: String, secret: String? = nil) {
    self.command = command
    // The thread that takes the frames starts it, too.
    self.command.endsWithThread = true
    self.name = name
    self.secret = secret
  }

  /// Far more than cameras' programs take, and less than would hurt a machine that has swap.
  private static let memory = 4 << 30

  /// A line for the shell.
  package static func shell(_ line: String) -> CommandSource {
    CommandSource(.shell(line, memoryBytes: memory), name: "command:\(line)")
  }

  /// A stream of a network camera, read by ffmpeg.
  package static func rtsp(_ address: String) -> CommandSource {
    // Of a stream of pictures there is little to find out; ffmpeg would take 5 s for it.
    let words = [
      "ffmpeg", "-nostdin", "-hide_banner", "-loglevel", "error", "-rtsp_transport", "tcp",
      "-analyzeduration", "1000000", "-i", address, "-an", "-r", "5", "-f", "mjpeg", "-q:v", "3", "pipe:1",
    ]
    return CommandSource(ChildCommand(words, memoryBytes: memory), name: shown(address), secret: address)
  }

  /// An address without the password that may be in it.
  static func shown(_ address: String) -> String {
    guard let scheme = address.firstRange(of: "://"),
      let at = address[scheme.upperBound...].lastIndex(of: "@")
    else {
      return address
    }
    return address[..<scheme.upperBound] + "…" + address[at...]
  }

  package var counts: FrameCounts {
    FrameCounts(dropped: newest.dropped, broken: brokenBefore + splitter.broken)
  }

  package func start() throws {
    stop()
    child = try Child(command)
  }

  package func stop() {
    child?.end()
    child = nil
    brokenBefore += splitter.broken
    splitter = JPEGSplitter()
    _ = newest.take()
  }

  package func next(within seconds: Double) throws -> FrameArrival {
    guard let child else { return .nothing }
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
      var bytes: [UInt8] = []
      // Everything that is there, so that a frame is the newest one; then, where there is none, what comes.
      let wait = newest.isEmpty ? max(0, (end - .now) / .seconds(1)) : 0
      switch child.read(into: &bytes, atMost: 1 << 18, within: wait) {
      case .bytes:
        splitter.add(bytes)
        while let picture = splitter.next() { newest.put(Frame(.encoded(picture))) }
        // Not for ever, where more comes all the time.
        if ContinuousClock.now < end { continue }
      case .nothing: break
      case .over:
        splitter.end()
        while let picture = splitter.next() { newest.put(Frame(.encoded(picture))) }
        if let frame = newest.take() { return .frame(frame) }
        throw gone(child)
      }
      return newest.take().map { .frame($0) } ?? .nothing
    }
  }

  private func gone(_ child: Child) -> SourceError {
    let end = child.end()
    let line = secret.map { child.lastLine.replacing($0, with: name) } ?? child.lastLine
    return .ended(source: name, reason: "the program \(end)" + (line.isEmpty ? "" : ": \(line)"))
  }
}
