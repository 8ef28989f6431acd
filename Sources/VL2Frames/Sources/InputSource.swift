import Glibc
import VL2Base

/// MJPEG on an open descriptor: standard input.
package final class InputSource: FrameSource {
  package let name: String
  package let isLive: Bool
  package let isRestartable = false
  private let descriptor: Int32
  private var splitter = JPEGSplitter()
  private var newest = NewestFrame()
  private var isOver = false

  /// - Parameter descriptor: not closed here. From a file all frames are looked at, from a pipe the newest.
  package init(_ descriptor: Int32 = STDIN_FILENO, name: String = "standard input") {
    self.descriptor = descriptor
    self.name = name
    var status = stat()
    isLive = !(fstat(descriptor, &status) == 0 && status.st_mode & S_IFMT == S_IFREG)
  }

  package var counts: FrameCounts { FrameCounts(dropped: newest.dropped, broken: splitter.broken) }

  package func start() throws {}

  package func stop() {}

  package func next(within seconds: Double) throws -> FrameArrival {
    let end = ContinuousClock.now + .seconds(seconds)
    var hasRead = false
    while true {
      while let picture = splitter.next() {
        newest.put(Frame(.encoded(picture)))
        if !isLive { break }
      }
      let left = (end - .now) / .seconds(1)
      // What waits already goes before a frame that it would make old, but not for ever, where more comes all the time.
      if let frame = isLive && !isOver && left > 0 && canRead(0) ? nil : newest.take() {
        return .frame(frame)
      }
      if isOver { return .end }
      guard left > 0 || !hasRead, canRead(max(0, left)) else { return .nothing }
      hasRead = true
      var bytes = [UInt8](repeating: 0, count: 1 << 16)
      let count = read(descriptor, &bytes, bytes.count)
      if count < 0, errno == EINTR || errno == EAGAIN { continue }
      guard count >= 0 else {
        throw SourceError.unreadable(source: name, reason: String(cString: strerror(errno)).lowercased())
      }
      isOver = count == 0
      if isOver { splitter.end() }
      splitter.add(bytes[..<count])
    }
  }

  private func canRead(_ seconds: Double) -> Bool {
    var place = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    return poll(&place, 1, Int32((seconds * 1000).rounded(.up))) > 0
  }
}
