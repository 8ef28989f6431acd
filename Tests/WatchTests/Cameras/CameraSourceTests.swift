import CV4L2
import Foundation
import TestFrames
import TestSupport
import Testing
import VL2Base
import VL2Frames
import VL2Run
import VL2Watch

/// Cameras by Video4Linux, through a driver that does what it is told to.
@Suite struct CameraSourceTests {
  private typealias Filling = FakeDriver.Filling
  private typealias Format = FakeDriver.Format
  private static let pictures: [[UInt8]] = (0..<6).map { index in
    DrawnScene(width: 64, height: 48).picture(seed: UInt64(index)).jpeg()
  }
  private var pictures: [[UInt8]] { Self.pictures }

  private func source(
    _ driver: FakeDriver, _ path: String = "/dev/video0", _ wish: CameraWish = CameraWish()
  ) -> CameraSource {
    CameraSource(path, wish, calls: driver)
  }

  private func next(_ source: any FrameSource, within seconds: Double = 0.02) throws -> Frame? {
    guard case .frame(let frame) = try source.next(within: seconds) else { return nil }
    return frame
  }

  private func bytes(_ frame: Frame?) -> [UInt8]? {
    guard case .encoded(let bytes)? = frame?.content else { return nil }
    return bytes
  }

  // MARK: Frames

  @Test func motionJPEG() throws {
    let driver = FakeDriver()
    let camera = source(driver)
    #expect(camera.isLive && camera.isRestartable && camera.name == "/dev/video0")
    try camera.start()
    #expect(driver.isStreaming && driver.queued == [0, 1, 2, 3])
    #expect(try next(camera) == nil)
    driver.fillings = [Filling(bytes: pictures[0])]
    #expect(try bytes(next(camera)) == pictures[0])
    // The newest alone, with zeros behind it as many cameras send them.
    driver.fillings = pictures[0..<2].map { Filling(bytes: $0) } + [Filling(bytes: pictures[2] + [0, 0, 0])]
    #expect(try bytes(next(camera)) == pictures[2])
    #expect(camera.counts == FrameCounts(dropped: 2) && driver.queued.count == 4)
    // Tables that are left out do no harm: they are the same for all cameras.
    let bare = withoutHuffmanTables(pictures[3])
    driver.fillings = [Filling(bytes: bare)]
    let frame = try #require(try next(camera))
    #expect(bytes(frame) == bare)
    #expect(try frame.picture() == Frame(.encoded(pictures[3])).picture())
    camera.stop()
    #expect(driver.isAtRest)
  }

  /// What is no whole picture is counted, and its buffer goes back to the driver.
  @Test func brokenFrames() throws {
    let driver = FakeDriver()
    let camera = source(driver)
    try camera.start()
    let whole = pictures[0]
    let broken = [
      Filling(bytes: Array(whole.dropLast(2))), Filling(bytes: Array(whole.prefix(whole.count / 2))),
      Filling(bytes: whole, flags: UInt32(V4L2_BUF_FLAG_ERROR)), Filling(bytes: whole, used: 0),
      Filling(bytes: whole, used: driver.bufferBytes + 1), Filling(bytes: whole, used: .max),
      Filling(bytes: [0xFF, 0xD8, 0xFF]), Filling(bytes: [UInt8](repeating: 0, count: 5000)),
      Filling(bytes: Array(whole.dropFirst(2))),
    ]
    for (index, filling) in broken.enumerated() {
      driver.fillings = [filling]
      #expect(try next(camera) == nil)
      #expect(camera.counts == FrameCounts(broken: index + 1) && driver.queued.count == 4)
    }
    // One that is whole goes before a broken one that is newer.
    driver.fillings = [Filling(bytes: whole), broken[2]]
    #expect(try bytes(next(camera)) == whole)
    #expect(camera.counts == FrameCounts(broken: broken.count + 1))
  }

  /// Buffers that were all full hold what was seen before nobody looked for a while; they are left out, once.
  @Test func staleFrames() throws {
    let driver = FakeDriver()
    let camera = source(driver)
    try camera.start()
    driver.fillings = (0..<4).map { Filling(bytes: pictures[$0]) }
    #expect(try next(camera) == nil)
    #expect(camera.counts == FrameCounts(dropped: 4))
    driver.fillings = (0..<4).map { Filling(bytes: pictures[$0]) }
    #expect(try bytes(next(camera)) == pictures[3])
    // A driver that fills them without end keeps nobody waiting.
    driver.fillings = (0..<1000).map { Filling(bytes: pictures[$0 % 6]) }
    let begin = ContinuousClock.now
    _ = try next(camera)
    #expect(try next(camera) != nil)
    #expect(ContinuousClock.now - begin < .seconds(60) && driver.fillings.count > 900)
  }

  // MARK: Colors

  /// Luma and the two differences of color of a pixel.
  private struct Sample {
    var luma: UInt8
    var blue: UInt8
    var red: UInt8
  }

  private func sample(_ column: Int, _ row: Int) -> Sample {
    let pair = column / 2
    return Sample(
      luma: UInt8((column * 37 + row * 11) & 255), blue: UInt8((pair * 53 + row / 2 * 29) & 255),
      red: UInt8((pair * 17 + row / 2 * 71 + 5) & 255))
  }

  private func yuyv(_ width: Int, _ height: Int, padding: Int) -> [UInt8] {
    (0..<height).flatMap { row in
      (0..<(width + 1) / 2).flatMap { pair -> [UInt8] in
        let (one, other) = (sample(2 * pair, row), sample(2 * pair + 1, row))
        return [one.luma, one.blue, other.luma, one.red]
      } + [UInt8](repeating: 0xEE, count: padding)
    }
  }

  private func nv12(_ width: Int, _ height: Int, padding: Int) -> [UInt8] {
    let luma = (0..<height).flatMap { row in
      (0..<width).map { sample($0, row).luma } + [UInt8](repeating: 0xEE, count: padding)
    }
    return luma
      + (0..<(height + 1) / 2).flatMap { row in
        (0..<width / 2).flatMap { pair -> [UInt8] in
          let one = sample(2 * pair, 2 * row)
          return [one.blue, one.red]
        } + [UInt8](repeating: 0xEE, count: padding)
      }
  }

  /// As the standards have it, in floating point. The shares are those of red and blue in luma.
  private func rgb(_ sample: Sample, red: Double, blue: Double, isFull: Bool) -> [Double] {
    let light = isFull ? Double(sample.luma) : (Double(sample.luma) - 16) * 255 / 219
    let scale = isFull ? 1 : 255.0 / 224
    let (b, r) = ((Double(sample.blue) - 128) * scale, (Double(sample.red) - 128) * scale)
    let green = 1 - red - blue
    return [
      light + 2 * (1 - red) * r,
      light - 2 * (1 - blue) * blue / green * b - 2 * (1 - red) * red / green * r,
      light + 2 * (1 - blue) * b,
    ].map { max(0, min(255, $0)) }
  }

  @Test(
    arguments: [
      (8, 0, 0, 0.299, 0.114, false), (7, 0, 0, 0.299, 0.114, true), (3, 0, 0, 0.2126, 0.0722, false),
      (10, 0, 0, 0.2627, 0.0593, false), (8, 2, 1, 0.2126, 0.0722, true), (3, 1, 2, 0.299, 0.114, false),
      (0, 0, 0, 0.299, 0.114, false), (2, 0, 0, 0.212, 0.087, false),
    ] as [(UInt32, UInt32, UInt32, Double, Double, Bool)])
  func rawPictures(
    colorspace: UInt32, encoding: UInt32, quantization: UInt32, red: Double, blue: Double, isFull: Bool
  ) throws {
    for (code, planes, width, height, padding) in [
      (VL2_YUYV, false, 64, 48, 0), (VL2_YUYV, false, 33, 7, 10), (VL2_YUYV, true, 64, 48, 32),
      (VL2_NV12, false, 64, 48, 0), (VL2_NV12, true, 30, 9, 34), (VL2_NV12, false, 2, 1, 1),
    ] {
      var camera = FakeDriver.Camera()
      camera.capabilities = VL2_STREAMING | (planes ? VL2_CAPTURE_PLANES : VL2_CAPTURE)
      camera.formats = [Format(code: code, sizes: [(UInt32(width), UInt32(height))])]
      camera.rowPadding = UInt32(padding)
      (camera.colorspace, camera.encoding, camera.quantization) = (colorspace, encoding, quantization)
      let driver = FakeDriver(["/dev/video0": camera])
      // So that a byte too many that is read would be seen.
      var bytes =
        code == VL2_YUYV ? yuyv(width, height, padding: padding) : nv12(width, height, padding: padding)
      bytes.removeLast(padding)
      let skipped = planes ? 16 : 0
      bytes = [UInt8](repeating: 0xDD, count: skipped) + bytes
      driver.bufferBytes = UInt32(bytes.count)
      let source = source(driver)
      try source.start()
      // One byte less is no picture.
      driver.fillings = [Filling(bytes: bytes, used: UInt32(bytes.count - 1), skipped: UInt32(skipped))]
      #expect(try next(source) == nil)
      #expect(source.counts.broken == 1)
      driver.fillings = [Filling(bytes: bytes, skipped: UInt32(skipped))]
      let picture = try #require(try next(source)).picture()
      #expect(picture.width == width && picture.height == height)
      var worst = 0.0
      for row in 0..<height {
        for column in 0..<width {
          let wanted = rgb(sample(column, row), red: red, blue: blue, isFull: isFull)
          for channel in 0..<3 {
            let found = Double(picture.pixels[(row * width + column) * 3 + channel])
            worst = max(worst, abs(found - wanted[channel]))
          }
        }
      }
      #expect(worst < 0.51, "\(code) \(planes) \(width)x\(height): \(worst)")
      source.stop()
      #expect(driver.isAtRest)
    }
  }

  // MARK: Choices

  private func setting(_ driver: FakeDriver) -> (code: UInt32, size: String, rate: UInt32) {
    let pix = driver.format.fmt.pix
    return (
      pix.pixelformat, "\(pix.width)x\(pix.height)", driver.interval.denominator / driver.interval.numerator
    )
  }

  @Test func choices() throws {
    for (wish, code, size, rate) in [
      (CameraWish(), VL2_MJPEG, "1280x960", 15), (CameraWish(rate: 30), VL2_MJPEG, "1280x960", 30),
      (CameraWish(rate: 100), VL2_MJPEG, "1280x960", 30), (CameraWish(rate: 1), VL2_MJPEG, "1280x960", 5),
      (CameraWish(size: CameraSize(640, 480)), VL2_MJPEG, "640x480", 15),
      // Only the second format has it.
      (CameraWish(size: CameraSize(320, 240)), VL2_YUYV, "320x240", 15),
      (CameraWish(format: .yuyv), VL2_YUYV, "640x480", 15),
    ] as [(CameraWish, UInt32, String, UInt32)] {
      let driver = FakeDriver()
      let camera = source(driver, "/dev/video0", wish)
      try camera.start()
      let found = setting(driver)
      #expect(found == (code, size, rate), "\(wish): \(found)")
    }
    for (wish, problem) in [
      (CameraWish(format: .nv12), "/dev/video0: it gives yuyv, mjpeg, not nv12"),
      (
        CameraWish(size: CameraSize(100, 100)),
        "it does not give 100x100, but mjpeg in 1920x1080, 640x480, 1280x960; yuyv in 640x480, 320x240"
      ),
      (CameraWish(size: CameraSize(320, 240), format: .mjpeg), "but mjpeg in 1920x1080"),
    ] {
      let driver = FakeDriver()
      let error = try #require(reported { try source(driver, "/dev/video0", wish).start() })
      #expect(error.problem.contains(problem) && error.kind == .usage, "\(error)")
      #expect(driver.isAtRest)
    }
  }

  /// Drivers that say little, or say it otherwise.
  @Test func plainDrivers() throws {
    var camera = FakeDriver.Camera()
    camera.formats = [Format(code: VL2_YUYV, sizes: [], rates: [])]
    let driver = FakeDriver(["/dev/video0": camera])
    driver.failures[VL2_S_PARM] = (ENOTTY, 0)
    try source(driver).start()
    #expect(driver.format.fmt.pix.width == 1280)
    // It takes another size than the one that is asked for.
    driver.cameras["/dev/video0"]?.formats[0].sizes = [(352, 288)]
    driver.failures[VL2_ENUM_FRAMESIZES] = (ENOTTY, 0)
    let wish = CameraWish(size: CameraSize(640, 480))
    #expect(
      reported { try source(driver, "/dev/video0", wish).start() }?.problem
        == "/dev/video0: it gives 352x288 where 640x480 is asked for")
    // Sizes in steps.
    let steps = FakeDriver(["/dev/video0": camera])
    steps.afterCall = { request, argument in
      guard request == VL2_ENUM_FRAMESIZES else { return }
      let entry = argument.assumingMemoryBound(to: v4l2_frmsizeenum.self)
      entry.pointee.type = V4L2_FRMSIZE_TYPE_STEPWISE.rawValue
      entry.pointee.stepwise = v4l2_frmsize_stepwise(
        min_width: 16, max_width: 1000, step_width: 16, min_height: 16, max_height: 5000, step_height: 2)
    }
    steps.cameras["/dev/video0"]?.formats[0].sizes = [(992, 720)]
    try source(steps).start()
    #expect(steps.format.fmt.pix.width == 992 && steps.format.fmt.pix.height == 720)
  }

  /// What real drivers replied.
  @Test(arguments: [
    ("uvcvideo", "Test camera: Test camera", "mjpeg: 320x240; 640x480 at 10, 5", CameraWish()),
    ("vivid", "vivid", "nv12: 320x180 at 60", CameraWish(size: CameraSize(320, 180), format: .nv12)),
    ("vivid-planes", "vivid", "nv12: 320x180 at 60", CameraWish(size: CameraSize(320, 180), format: .nv12)),
  ]) func recorded(name: String, card: String, line: String, wish: CameraWish) throws {
    let driver = FakeDriver()
    driver.cameras["/dev/video0"]?.formats = []
    driver.read(try String(contentsOfFile: Fixtures.path("cameras/\(name).txt"), encoding: .utf8))
    let list = try CameraList.text(driver)
    #expect(list.hasPrefix("/dev/video0  \(card)\n") && list.contains("\n  \(line)"), "\(list)")
    let camera = source(driver, "/dev/video0", wish)
    try camera.start()
    let isRaw = wish.format == .nv12
    let bytes = isRaw ? nv12(320, 180, padding: 0) : pictures[0]
    driver.fillings = [Filling(bytes: bytes)]
    let picture = try #require(try next(camera)).picture()
    #expect(picture.width == (isRaw ? 320 : 64) && picture.height == (isRaw ? 180 : 48))
    #expect(vl2_has_planes(driver.format.type) == (name == "vivid-planes" ? 1 : 0))
    camera.stop()
    #expect(driver.isAtRest)
  }

  // MARK: Errors

  @Test func refusals() throws {
    func problem(
      camera change: (inout FakeDriver.Camera) -> Void = { _ in },
      driver more: (FakeDriver) -> Void = { _ in }
    ) -> (any ReportableError)? {
      var camera = FakeDriver.Camera()
      change(&camera)
      let driver = FakeDriver(["/dev/video0": camera])
      more(driver)
      let error = reported { try source(driver).start() }
      #expect(driver.isAtRest)
      return error
    }
    for (error, kind, text) in [
      (problem(driver: { $0.cameras = [:] }), .noInput, "there is no such camera"),
      (problem(driver: { $0.openErrors["/dev/video0"] = EACCES }), .noInput, "permission denied"),
      (problem(driver: { $0.openErrors["/dev/video0"] = EBUSY }), .busy, "another program is using it"),
      (problem(driver: { $0.openErrors["/dev/video0"] = EMFILE }), .inputOutput, "too many open files"),
      (problem(driver: { $0.failures[VL2_QUERYCAP] = (ENOTTY, 0) }), .usage, "it is no camera"),
      (problem(camera: { $0.capabilities = VL2_STREAMING }), .usage, "it gives no pictures"),
      (problem(camera: { $0.capabilities = VL2_CAPTURE }), .unavailable, "no buffers for streams"),
      (
        problem(camera: { $0.formats = [] }), .unavailable,
        "it gives no format, and what is read here is mjpeg"
      ),
      (
        problem(camera: { $0.formats = [Format(code: 0x3231_4142, sizes: [])] }), .unavailable,
        "it gives BA12, and what is read here is mjpeg, yuyv or nv12"
      ),
      (problem(driver: { $0.failures[VL2_S_FMT] = (EBUSY, 0) }), .busy, "another program is using it"),
      (problem(driver: { $0.failures[VL2_REQBUFS] = (EBUSY, 0) }), .busy, "another program"),
      (problem(driver: { $0.failures[VL2_STREAMON] = (ENOSPC, 0) }), .unavailable, "the USB bus has no room"),
      (problem(driver: { $0.failures[VL2_STREAMON] = (EPIPE, 0) }), .unavailable, "not linked to a sensor"),
      (problem(driver: { $0.mapFailure = (ENOMEM, 2) }), .tooLittleMemory, "no memory"),
    ] as [((any ReportableError)?, ErrorKind, String)] {
      let error = try #require(error)
      #expect(
        error.kind == kind && error.problem.hasPrefix("/dev/video0: ") && error.problem.contains(text),
        "\(error)")
      #expect(!error.hint.isEmpty)
    }
    #expect(
      problem(driver: { $0.openErrors["/dev/video0"] = EACCES })?.line().hasSuffix(
        "; cameras are for group video: sudo usermod -aG video $USER, and log in again") == true)
  }

  /// Every call fails, the first or a later time, with whatever a system may say: nothing is left behind, and it is told.
  @Test func everyCallFails() throws {
    let numbers = [
      ENODEV, EIO, EINVAL, EBUSY, ENOTTY, ENOMEM, EPIPE, ENOSPC, EFAULT, EPERM, EPROTO, ETIMEDOUT, ENXIO,
      EAGAIN,
    ]
    let requests = [
      VL2_QUERYCAP, VL2_ENUM_FMT, VL2_ENUM_FRAMESIZES, VL2_ENUM_FRAMEINTERVALS, VL2_S_FMT, VL2_S_PARM,
      VL2_REQBUFS,
      VL2_QUERYBUF, VL2_QBUF, VL2_DQBUF, VL2_STREAMON, VL2_STREAMOFF,
    ]
    // These may fail without harm: what they are about is then chosen or ended otherwise.
    let harmless = [VL2_ENUM_FRAMEINTERVALS, VL2_STREAMOFF]
    for request in requests {
      for number in numbers {
        for from in 0..<6 {
          let driver = FakeDriver()
          driver.failures[request] = (number, from)
          driver.fillings = (0..<3).map { Filling(bytes: pictures[$0]) }
          let camera = source(driver)
          let error = reported {
            try camera.start()
            for _ in 0..<3 { _ = try camera.next(within: 0) }
          }
          if let error {
            #expect(error.problem.hasPrefix("/dev/video0: ") && !error.line().contains("\n"))
            #expect(!harmless.contains(request))
          } else if from == 0, !harmless.contains(request) {
            // What a driver may say of calls that it does not have.
            let isKnown =
              [VL2_ENUM_FRAMESIZES, VL2_S_PARM].contains(request) && [EINVAL, ENOTTY].contains(number)
            #expect(isKnown || request == VL2_DQBUF && number == EAGAIN, "\(request) \(number)")
          }
          camera.stop()
          // Of a driver that refuses to end, the descriptor is closed all the same.
          #expect(driver.opened.isEmpty && driver.mapped.isEmpty)
          #expect(!driver.isStreaming || request == VL2_STREAMOFF)
        }
      }
    }
    for number in numbers {
      for from in 0..<4 {
        let driver = FakeDriver()
        driver.mapFailure = (number, from)
        #expect(reported { try source(driver).start() } != nil)
        #expect(driver.isAtRest)
      }
    }
  }

  @Test func pollErrors() throws {
    for (polled, part) in [
      (Int32(POLLERR), "the system reports an error"),
      (Int32(POLLHUP | POLLERR), "the system reports an error"),
      (Int32(POLLNVAL), "the system reports an error"), (-ENOMEM, "poll: cannot allocate memory"),
    ] {
      let driver = FakeDriver()
      let camera = source(driver)
      try camera.start()
      driver.polled = polled
      let error = try #require(reported { _ = try camera.next(within: 1) })
      #expect(error.problem.contains(part) && error.kind == .unavailable, "\(error)")
      camera.stop()
      #expect(driver.isAtRest)
    }
  }

  /// Drivers that say what cannot be.
  @Test func impossible() throws {
    func start(_ request: UInt, _ change: @escaping (UnsafeMutableRawPointer) -> Void) -> String? {
      let driver = FakeDriver()
      driver.cameras["/dev/video0"]?.formats.removeLast()
      driver.afterCall = { if $0 == request { change($1) } }
      driver.fillings = [Filling(bytes: [UInt8](repeating: 1, count: 640 * 480 * 2))]
      let camera = source(driver)
      let error = reported {
        try camera.start()
        _ = try camera.next(within: 0)
      }
      camera.stop()
      #expect(driver.isAtRest)
      return error?.problem
    }
    func format(_ change: @escaping (inout v4l2_pix_format) -> Void) -> String? {
      start(VL2_S_FMT) { change(&$0.assumingMemoryBound(to: v4l2_format.self).pointee.fmt.pix) }
    }
    let before = "/dev/video0: its driver contradicts itself ("
    #expect(format { $0.width = 0 } == before + "0x480, 1280 bytes a row)")
    #expect(format { $0.height = .max } == before + "640x4294967295, 1280 bytes a row)")
    #expect(format { $0.width = .max } == before + "4294967295x480, 1280 bytes a row)")
    #expect(format { $0.bytesperline = 1279 } == before + "640x480, 1279 bytes a row)")
    #expect(format { $0.bytesperline = .max } == before + "640x480, 4294967295 bytes a row)")
    #expect(format { $0.pixelformat = VL2_NV12 } == before + "nv12 for yuyv)")
    #expect(format { $0.bytesperline = 0 } == nil)
    for (count, text) in [(0, "0"), (33, "33"), (UInt32.max, "4294967295")] as [(UInt32, String)] {
      #expect(
        start(VL2_REQBUFS) { $0.assumingMemoryBound(to: v4l2_requestbuffers.self).pointee.count = count }
          == before + "\(text) buffers)")
    }
    for length in [0, UInt32.max] {
      #expect(
        start(VL2_QUERYBUF) { $0.assumingMemoryBound(to: v4l2_buffer.self).pointee.length = length }
          == before + "a buffer of \(length) bytes)")
    }
    #expect(
      start(VL2_DQBUF) { $0.assumingMemoryBound(to: v4l2_buffer.self).pointee.index = 4 }
        == before + "buffer 4, which it does not have)")
    // Lists without an end.
    for request in [VL2_ENUM_FMT, VL2_ENUM_FRAMESIZES, VL2_ENUM_FRAMEINTERVALS] {
      let driver = FakeDriver()
      let yuyv = Format(code: VL2_YUYV, sizes: (0..<500).map { (640 + $0, 480) }, rates: Array(1..<500))
      let others = (0..<500).map { Format(code: 0x3030_3030 + $0, sizes: []) }
      driver.cameras["/dev/video0"]?.formats = [yuyv] + others
      try source(driver).start()
      #expect(driver.calls[request, default: 0] <= 257)
    }
  }

  /// A driver that answers with noise: an error or none, never a crash, never a read outside of a buffer.
  @Test func noise() throws {
    var random = SplitMix64(seed: 21)
    for _ in 0..<3000 {
      let driver = FakeDriver()
      driver.bufferBytes = UInt32(random.next() % 5000) + 1
      var camera = FakeDriver.Camera()
      camera.formats = [
        Format(
          code: [VL2_MJPEG, VL2_YUYV, VL2_NV12][Int(random.next() % 3)],
          sizes: [(UInt32(random.next() % 80), UInt32(random.next() % 60))])
      ]
      camera.rowPadding = random.next() % 4 == 0 ? UInt32(random.next() % 40) : 0
      if random.next() % 2 == 0 { camera.capabilities = VL2_STREAMING | VL2_CAPTURE_PLANES }
      driver.cameras["/dev/video0"] = camera
      let noisy = random.next() % 4
      driver.afterCall = { request, argument in
        // The addresses in it are ours.
        guard noisy > 0, request != VL2_QUERYCAP, random.next() % 8 == 0 else { return }
        let bytes = Int(request >> 16 & 0x3FFF)
        let places = [VL2_QUERYBUF, VL2_QBUF, VL2_DQBUF].contains(request) ? Array(0..<64) : Array(0..<bytes)
        for _ in 0..<noisy {
          let place = places[Int(random.next() % UInt64(places.count))]
          argument.storeBytes(of: UInt8(random.next() & 255), toByteOffset: place, as: UInt8.self)
        }
      }
      for _ in 0..<random.next() % 12 {
        let count = Int(random.next() % 6000)
        driver.fillings.append(
          Filling(
            bytes: random.next() % 2 == 0
              ? pictures[0] : [UInt8](repeating: UInt8(random.next() & 255), count: count),
            flags: random.next() % 4 == 0 ? UInt32(random.next() & 0xFFFF) : 0,
            used: random.next() % 4 == 0 ? UInt32(random.next() & 0xFFFF) : nil,
            index: random.next() % 16 == 0 ? UInt32(random.next() % 6) : nil,
            skipped: UInt32(random.next() % 3)))
      }
      let camera0 = source(driver)
      let error = reported {
        try camera0.start()
        for _ in 0..<4 {
          if let frame = try next(camera0, within: 0), case .decoded(let picture) = frame.content {
            #expect(picture.pixels.count == picture.width * picture.height * 3)
          }
        }
      }
      if let error { #expect(error.problem.hasPrefix("/dev/video0: ")) }
      camera0.stop()
      #expect(driver.opened.isEmpty && driver.mapped.isEmpty)
    }
  }

  // MARK: Coming back

  private static let byID = "/dev/v4l/by-id/usb-vl2_Test_camera_0001-video-index0"

  /// Events and frames of a camera that is kept, until a condition holds.
  private func follow(
    _ kept: KeptSource, until isDone: ([SourceEvent], Int) -> Bool
  ) -> (events: [SourceEvent], frames: Int) {
    var events: [SourceEvent] = []
    var frames = 0
    let end = ContinuousClock.now + TestPatience.limit
    while !isDone(events, frames), ContinuousClock.now < end {
      switch kept.next(within: 0.01) {
      case .frame: frames += 1
      case .event(let event): events.append(event)
      case .nothing: break
      case .end: Issue.record("an end")
      }
    }
    return (events, frames)
  }

  /// Unplugged while it streams, where a call fails with EINVAL; back under another number.
  @Test(arguments: [EINVAL, ENODEV, EIO]) func unplugged(number: Int32) throws {
    for given in ["/dev/video0", Self.byID] {
      var metadata = FakeDriver.Camera()
      metadata.capabilities = VL2_STREAMING
      let driver = FakeDriver(["/dev/video0": FakeDriver.Camera(), "/dev/video1": metadata])
      driver.links = [Self.byID: "../../video0"]
      driver.fillings = [Filling(bytes: pictures[0])]
      let kept = KeptSource(source(driver, given), hungAfter: 60, firstPause: 0.01, longestPause: 0.05)
      try kept.start()
      #expect(follow(kept) { $1 == 1 }.events.isEmpty)
      driver.failures[VL2_DQBUF] = (number, 0)
      let gone = follow(kept) { events, _ in !events.isEmpty }
      guard case .gone(let reason)? = gone.events.first else {
        Issue.record("\(gone)")
        return
      }
      #expect(reason.hasPrefix("\(given): the camera does not go on (VIDIOC_DQBUF: "), "\(reason)")
      #expect(driver.isAtRest)
      // Its nodes vanish; another camera takes its number.
      driver.failures = [:]
      driver.cameras = [:]
      driver.links = [:]
      var other = FakeDriver.Camera()
      (other.card, other.bus) = ("Another one", "usb-0000:01:00.0-2")
      driver.cameras = ["/dev/video0": other]
      driver.fillings = [Filling(bytes: pictures[1])]
      var rounds = 0
      let nothing = follow(kept) { _, _ in
        rounds += 1
        return rounds > 100
      }
      #expect(nothing.events.isEmpty && nothing.frames == 0)
      #expect(driver.opened.isEmpty && driver.fillings.count == 1)
      driver.cameras["/dev/video5"] = metadata
      driver.cameras["/dev/video4"] = FakeDriver.Camera()
      driver.links = [Self.byID: "../../video4"]
      let back = follow(kept) { $1 == 1 }
      #expect(back.events == [.back] && back.frames == 1)
      #expect(Array(driver.opened.values) == ["/dev/video4"])
      kept.stop()
      #expect(driver.isAtRest)
    }
  }

  /// Where it is found again, and what is not taken for it.
  @Test func foundAgain() throws {
    func reopened(
      _ given: String, _ before: [String: FakeDriver.Camera], _ after: [String: FakeDriver.Camera],
      links: (before: [String: String], after: [String: String]) = ([:], [:])
    ) throws -> String? {
      let driver = FakeDriver(before)
      driver.links = links.before
      let camera = source(driver, given)
      try camera.start()
      camera.stop()
      (driver.cameras, driver.links) = (after, links.after)
      let error = reported { try camera.start() }
      #expect(error == nil || driver.isAtRest)
      return error?.problem ?? driver.opened.values.first
    }
    let one = FakeDriver.Camera()
    var twin = one
    twin.bus = "usb-0000:01:00.0-2"
    var moved = one
    moved.bus = "usb-0000:01:00.0-3"
    var other = one
    other.card = "Another one"
    let link = Self.byID
    // By where it is plugged in.
    #expect(try reopened("/dev/video0", ["/dev/video0": one], ["/dev/video2": one]) == "/dev/video2")
    // Another camera has its number.
    #expect(
      try reopened("/dev/video0", ["/dev/video0": one], ["/dev/video0": other])
        == "/dev/video0: another camera is there now, \"Another one\"")
    #expect(
      try reopened("/dev/video0", ["/dev/video0": one], [:]) == "/dev/video0: there is no such camera")
    // Another plug, but the name of its own.
    #expect(
      try reopened(
        "/dev/video0", ["/dev/video0": one], ["/dev/video3": moved],
        links: ([link: "../../video0"], [link: "../../video3"])) == "/dev/video3")
    // The name went over to a camera of the same kind that was there all the time.
    #expect(
      try reopened(
        link, ["/dev/video0": one, "/dev/video2": twin], ["/dev/video2": twin],
        links: ([link: "../../video0"], [link: "../../video2"]))
        == "\(link): another camera is there now, \"Test camera: Test camera\"")
    // The second of two nodes of one camera, whose numbers have moved.
    #expect(
      try reopened(
        "/dev/video2", ["/dev/video0": one, "/dev/video2": one], ["/dev/video2": one, "/dev/video4": one])
        == "/dev/video4")
  }

  // MARK: The list

  @Test func list() throws {
    var metadata = FakeDriver.Camera()
    metadata.capabilities = VL2_STREAMING
    var sensor = FakeDriver.Camera()
    (sensor.card, sensor.bus) = ("unicam\u{1B}[31m", "platform:fe801000.csi")
    sensor.formats = [Format(code: 0x3231_4142, sizes: []), Format(code: 0x3031_4752, sizes: [])]
    let driver = FakeDriver([
      "/dev/video10": sensor, "/dev/video2": FakeDriver.Camera(), "/dev/video3": metadata,
      "/dev/video4": FakeDriver.Camera(),
    ])
    driver.links = [Self.byID: "../../video2"]
    driver.openErrors["/dev/video4"] = EACCES
    #expect(
      try CameraList.text(driver) == """
        /dev/video2  Test camera: Test camera
          \(Self.byID)
          driver fakevideo, at usb-0000:01:00.0-1
          yuyv: 640x480 at 30, 15, 5; 320x240 at 30, 15, 5
          mjpeg: 1920x1080 at 30, 15, 5; 640x480 at 30, 15, 5; 1280x960 at 30, 15, 5
        /dev/video4: permission denied; cameras are for group video: sudo usermod -aG video $USER, and log in again
        /dev/video10  unicam [31m
          driver fakevideo, at platform:fe801000.csi
          not read here: BA12, RG10

        """)
    #expect(driver.isAtRest)
    let none = try #require(reported { _ = try CameraList.text(FakeDriver([:])) })
    #expect(
      none.kind == .unavailable && none.problem == "/dev/video*: there is no camera" && !none.hint.isEmpty)
    #expect(
      reported { _ = try CameraList.text(FakeDriver(["/dev/video3": metadata])) }?.problem
        == "/dev/video*: no camera among them gives pictures")
    // Of a device that fails while it is asked, the others are shown.
    driver.failures[VL2_ENUM_FRAMESIZES] = (EIO, 0)
    #expect(try CameraList.text(driver).contains("the camera does not go on"))
    #expect(driver.isAtRest)
  }

  /// The system's own calls, on what is no camera.
  @Test func systemCalls() throws {
    let error = try #require(reported { try CameraSource("/dev/null").start() })
    #expect(error.problem == "/dev/null: it is no camera" && error.kind == .usage)
    #expect(reported { try CameraSource("/dev/none").start() }?.kind == .noInput)
    let calls = SystemCalls()
    #expect(calls.names(in: "/none").isEmpty && calls.names(in: "/dev").contains("null"))
    #expect(calls.link(at: "/proc/self/fd/0") != nil && calls.link(at: "/dev/null") == nil)
    let descriptor = calls.open("/dev/zero")
    #expect(descriptor >= 0 && calls.poll(descriptor, milliseconds: 1000) & Int32(POLLIN) != 0)
    let mapped = calls.map(descriptor, bytes: 100, offset: 0)
    if let memory = mapped.memory { calls.unmap(memory, bytes: 100) }
    #expect(calls.map(descriptor, bytes: 100, offset: 1).number == EINVAL)
    calls.close(descriptor)
    // A number that no descriptor has.
    #expect(calls.map(1_000_000, bytes: 100, offset: 0).number == EBADF)
    #expect(calls.poll(1_000_000, milliseconds: 0) & Int32(POLLNVAL) != 0)
    #expect(calls.open("/none") == -ENOENT)
  }
}
