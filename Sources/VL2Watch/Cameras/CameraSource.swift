import VL2Base
import VL2Frames

/// A camera by Video4Linux.
///
/// One that was unplugged may come back under another number. It is found again by where it is plugged in, or by its name in
/// /dev/v4l/by-id; another camera that has taken its number is not taken for it.
package final class CameraSource: FrameSource {
  package let name: String
  package let isLive = true
  package let isRestartable = true
  package private(set) var counts = FrameCounts()
  private let wish: CameraWish
  private let calls: any DeviceCalls
  private let nodes: CameraNodes
  private var stream: CameraStream?
  /// What it was when it was opened for the first time.
  private var known: KnownCamera?
  /// Whether frames were left out last time because they had waited.
  private var hasSkipped = false

  /// - Parameter path: of a device, or of a link to one.
  package init(_ path: String, _ wish: CameraWish = CameraWish(), calls: any DeviceCalls = SystemCalls()) {
    name = path
    self.wish = wish
    self.calls = calls
    nodes = CameraNodes(calls)
  }

  package func start() throws {
    stop()
    let device: CameraDevice
    if let known {
      device = try known.find(nodes)
    } else {
      device = try CameraDevice(name, calls)
      known = KnownCamera(device, nodes)
    }
    stream = try CameraStream(device, wish)
  }

  package func stop() {
    stream = nil
    hasSkipped = false
  }

  package func next(within seconds: Double) throws -> FrameArrival {
    guard let stream else { return .nothing }
    let end = ContinuousClock.now + .seconds(seconds)
    while true {
      guard try stream.wait(max(0, (end - .now) / .seconds(1))) else { return .nothing }
      var newest: [UInt8]?
      var taken = 0
      // A driver that fills them as fast as they are handed back keeps nobody here.
      while taken < 2 * stream.bufferCount {
        let one = try stream.take()
        if case .nothing = one { break }
        taken += 1
        guard case .bytes(let bytes) = one else {
          counts.broken += 1
          continue
        }
        if newest != nil { counts.dropped += 1 }
        newest = bytes
      }
      if let bytes = newest {
        // Where all were full, the driver had no place for what came since: what they hold is of the time before.
        let haveWaited = taken >= stream.bufferCount && stream.bufferCount > 2
        if haveWaited, !hasSkipped {
          hasSkipped = true
          counts.dropped += 1
        } else {
          hasSkipped = false
          if let frame = stream.image.frame(bytes) { return .frame(frame) }
          counts.broken += 1
        }
      }
      if ContinuousClock.now >= end { return .nothing }
    }
  }
}
