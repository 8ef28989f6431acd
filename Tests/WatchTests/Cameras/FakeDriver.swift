import CV4L2
import Glibc
import VL2Watch

/// A kernel with cameras, for one thread: it answers calls as drivers do, fails where it is told to, and keeps count of what
/// it gave. Memory that it gives ends where a page begins that nobody may touch.
final class FakeDriver: DeviceCalls {
  struct Format {
    var code: UInt32
    var sizes: [(width: UInt32, height: UInt32)]
    /// Frames a second, whole ones.
    var rates: [UInt32] = [30, 15, 5]
  }

  struct Camera {
    var card = "Test camera: Test camera"
    var bus = "usb-0000:01:00.0-1"
    var capabilities: UInt32 = VL2_CAPTURE | VL2_STREAMING
    var formats: [Format] = [
      Format(code: VL2_YUYV, sizes: [(640, 480), (320, 240)]),
      Format(code: VL2_MJPEG, sizes: [(1920, 1080), (640, 480), (1280, 960)]),
    ]
    /// Bytes that each row has more than it needs.
    var rowPadding: UInt32 = 0
    var colorspace = V4L2_COLORSPACE_SRGB.rawValue
    var encoding: UInt32 = 0
    var quantization: UInt32 = 0
  }

  /// What a buffer gets.
  struct Filling {
    var bytes: [UInt8]
    var flags: UInt32 = 0
    /// What the driver says instead of the number of bytes, or of the buffer's number.
    var used: UInt32?
    var index: UInt32?
    /// Bytes before the picture.
    var skipped: UInt32 = 0
  }

  /// By their paths.
  var cameras: [String: Camera]
  var links: [String: String] = [:]
  var openErrors: [String: Int32] = [:]
  /// What calls return instead of doing something, by their number: from the given call of its kind on.
  var failures: [UInt: (number: Int32, from: Int)] = [:]
  var mapFailure: (number: Int32, from: Int)?
  /// What poll says, whatever is there.
  var polled: Int32?
  var fillings: [Filling] = []
  /// Changes what a call answered, before it is seen.
  var afterCall: (UInt, UnsafeMutableRawPointer) -> Void = { _, _ in }
  var bufferBytes: UInt32 = 1 << 20

  /// Replies that were recorded, by the call's number and what went in; zeros at the ends are left out.
  var replies: [UInt: [[UInt8]: (number: Int32, bytes: [UInt8])]] = [:]

  private(set) var calls: [UInt: Int] = [:]
  private(set) var opened: [Int32: String] = [:]
  private(set) var mapped: [UnsafeMutableRawPointer: (base: UnsafeMutableRawPointer, bytes: Int)] = [:]
  private(set) var isStreaming = false
  private(set) var format = v4l2_format()
  private(set) var interval = v4l2_fract()
  /// The numbers of buffers that the driver has, the one that it fills next first.
  private(set) var queued: [Int] = []
  private var buffers: [UnsafeMutableRawBufferPointer?] = []
  private var lastDescriptor: Int32 = 100

  init(_ cameras: [String: Camera] = ["/dev/video0": Camera()]) { self.cameras = cameras }

  /// Whether everything was given back.
  var isAtRest: Bool { opened.isEmpty && mapped.isEmpty && !isStreaming }

  func open(_ path: String) -> Int32 {
    if let number = openErrors[path] { return -number }
    let node = links[path].map { "/dev/" + ($0.split(separator: "/").last ?? "") } ?? path
    guard cameras[node] != nil else { return -ENOENT }
    lastDescriptor += 1
    opened[lastDescriptor] = node
    return lastDescriptor
  }

  func close(_ descriptor: Int32) { opened[descriptor] = nil }

  func map(
    _ descriptor: Int32, bytes: Int, offset: Int
  ) -> (memory: UnsafeMutableRawPointer?, number: Int32) {
    if let mapFailure, mapped.count >= mapFailure.from { return (nil, mapFailure.number) }
    guard bytes <= 1 << 24 else { return (nil, ENOMEM) }
    let page = 65_536
    let whole = (bytes + page - 1) / page * page
    guard
      let base = mmap(nil, whole + page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
      base != MAP_FAILED, mprotect(base + whole, page, PROT_NONE) == 0
    else { return (nil, ENOMEM) }
    let memory = base + whole - bytes
    mapped[memory] = (base, whole + page)
    if buffers.indices.contains(offset / 4096) { buffers[offset / 4096] = .init(start: memory, count: bytes) }
    return (memory, 0)
  }

  func unmap(_ memory: UnsafeMutableRawPointer, bytes: Int) {
    guard let known = mapped.removeValue(forKey: memory) else { return }
    munmap(known.base, known.bytes)
  }

  func poll(_ descriptor: Int32, milliseconds: Int32) -> Int32 {
    if let polled { return polled }
    if let failure = failures[VL2_DQBUF], calls[VL2_DQBUF, default: 0] >= failure.from {
      return Int32(POLLIN)
    }
    if !fillings.isEmpty, !queued.isEmpty { return Int32(POLLIN) }
    usleep(UInt32(min(milliseconds, 2)) * 1000)
    return 0
  }

  func names(in folder: String) -> [String] {
    let paths = folder == "/dev" ? [String](cameras.keys) : [String](links.keys)
    return [".", "..", "null", "videos", "video"]
      + paths.filter { $0.hasPrefix(folder + "/") }.map { String($0.dropFirst(folder.count + 1)) }
  }

  func link(at path: String) -> String? { links[path] }

  func control(_ descriptor: Int32, _ request: UInt, _ argument: UnsafeMutableRawPointer) -> Int32 {
    let count = calls[request, default: 0]
    calls[request] = count + 1
    if let failure = failures[request], count >= failure.from { return failure.number }
    guard let path = opened[descriptor], let camera = cameras[path] else { return ENODEV }
    let number = recorded(request, argument) ?? answer(camera, request, argument)
    if number == 0 { afterCall(request, argument) }
    return number
  }

  private func answer(_ camera: Camera, _ request: UInt, _ argument: UnsafeMutableRawPointer) -> Int32 {
    func with<T>(_ type: T.Type, _ body: (inout T) -> Int32) -> Int32 {
      body(&argument.assumingMemoryBound(to: type).pointee)
    }
    switch request {
    case VL2_QUERYCAP:
      return with(v4l2_capability.self) { about in
        Self.put(camera.card, &about.card)
        Self.put(camera.bus, &about.bus_info)
        Self.put("fakevideo", &about.driver)
        about.capabilities = camera.capabilities | VL2_CAPTURE | VL2_HAS_DEVICE_CAPS
        about.device_caps = camera.capabilities
        return 0
      }
    case VL2_ENUM_FMT:
      return with(v4l2_fmtdesc.self) { entry in
        guard entry.type == type(of: camera), camera.formats.indices.contains(Int(entry.index)) else {
          return EINVAL
        }
        entry.pixelformat = camera.formats[Int(entry.index)].code
        return 0
      }
    case VL2_ENUM_FRAMESIZES:
      return with(v4l2_frmsizeenum.self) { entry in
        let sizes = camera.formats.first { $0.code == entry.pixel_format }?.sizes ?? []
        guard sizes.indices.contains(Int(entry.index)) else { return EINVAL }
        entry.type = V4L2_FRMSIZE_TYPE_DISCRETE.rawValue
        entry.discrete.width = sizes[Int(entry.index)].width
        entry.discrete.height = sizes[Int(entry.index)].height
        return 0
      }
    case VL2_ENUM_FRAMEINTERVALS:
      return with(v4l2_frmivalenum.self) { entry in
        let rates = camera.formats.first { $0.code == entry.pixel_format }?.rates ?? []
        guard rates.indices.contains(Int(entry.index)) else { return EINVAL }
        entry.type = V4L2_FRMIVAL_TYPE_DISCRETE.rawValue
        entry.discrete = v4l2_fract(numerator: 1, denominator: rates[Int(entry.index)])
        return 0
      }
    case VL2_S_FMT: return with(v4l2_format.self) { set(camera, &$0) }
    case VL2_S_PARM:
      return with(v4l2_streamparm.self) { setting in
        interval = setting.parm.capture.timeperframe
        return 0
      }
    case VL2_REQBUFS:
      return with(v4l2_requestbuffers.self) { request in
        // As drivers do, which refuse this while buffers are mapped.
        if !mapped.isEmpty { return EBUSY }
        buffers = Array(repeating: nil, count: Int(request.count))
        queued = []
        return 0
      }
    case VL2_QUERYBUF:
      return buffer(argument) { index, place in
        place.set(length: bufferBytes, offset: UInt32(index) * 4096)
        return 0
      }
    case VL2_QBUF:
      return buffer(argument) { index, _ in
        if queued.contains(index) { return EINVAL }
        queued.append(index)
        return 0
      }
    case VL2_DQBUF:
      guard isStreaming else { return EINVAL }
      return dequeue(argument)
    case VL2_STREAMON:
      isStreaming = true
      return 0
    case VL2_STREAMOFF:
      isStreaming = false
      queued = []
      return 0
    default: return ENOTTY
    }
  }

  /// Of a recorded call its reply, and nil for another one.
  private func recorded(_ request: UInt, _ argument: UnsafeMutableRawPointer) -> Int32? {
    guard let known = replies[request] else { return nil }
    let place = UnsafeMutableRawBufferPointer(start: argument, count: Int(request >> 16 & 0x3FFF))
    // Of a format that is set, what was asked for is in its first members.
    let count = request == VL2_S_FMT ? 20 : place.count
    var input = Array(place.prefix(count))
    // Behind its type there is room that means nothing.
    if request == VL2_S_FMT { input.replaceSubrange(4..<8, with: [0, 0, 0, 0]) }
    while input.last == 0 { input.removeLast() }
    guard let reply = known[input] else { return nil }
    if reply.number == 0 {
      place.initializeMemory(as: UInt8.self, repeating: 0)
      place.copyBytes(from: reply.bytes)
    }
    if request == VL2_S_FMT { format = argument.assumingMemoryBound(to: v4l2_format.self).pointee }
    return reply.number
  }

  /// Reads recorded replies.
  func read(_ text: String) {
    let numbers = [
      "QUERYCAP": VL2_QUERYCAP, "ENUM_FMT": VL2_ENUM_FMT, "ENUM_FRAMESIZES": VL2_ENUM_FRAMESIZES,
      "ENUM_FRAMEINTERVALS": VL2_ENUM_FRAMEINTERVALS, "S_FMT": VL2_S_FMT,
    ]
    func bytes(_ digits: Substring) -> [UInt8] {
      let digits = Array(digits == "-" ? "" : digits)
      return stride(from: 0, to: digits.count, by: 2).compactMap {
        UInt8(String(digits[$0...$0 + 1]), radix: 16)
      }
    }
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ")
      guard words.count == 4, let request = numbers[String(words[0])], let number = Int32(words[2]) else {
        continue
      }
      replies[request, default: [:]][bytes(words[1])] = (number, bytes(words[3]))
    }
  }

  private func type(of camera: Camera) -> UInt32 {
    camera.capabilities & VL2_CAPTURE_PLANES != 0
      ? V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE.rawValue : V4L2_BUF_TYPE_VIDEO_CAPTURE.rawValue
  }

  /// The nearest that there is, as drivers do.
  private func set(_ camera: Camera, _ setting: inout v4l2_format) -> Int32 {
    guard setting.type == type(of: camera) else { return EINVAL }
    let hasPlanes = vl2_has_planes(setting.type) != 0
    let code = hasPlanes ? setting.fmt.pix_mp.pixelformat : setting.fmt.pix.pixelformat
    let (width, height) =
      hasPlanes
      ? (setting.fmt.pix_mp.width, setting.fmt.pix_mp.height)
      : (setting.fmt.pix.width, setting.fmt.pix.height)
    guard let known = camera.formats.first(where: { $0.code == code }) else { return EINVAL }
    let size =
      known.sizes.first { $0.width == width && $0.height == height } ?? known.sizes.first
      ?? (width: width, height: height)
    let row = (code == VL2_YUYV ? (size.width + 1) / 2 * 4 : size.width) + camera.rowPadding
    let rowBytes = [VL2_YUYV, VL2_NV12].contains(code) ? row : 0
    if hasPlanes {
      (setting.fmt.pix_mp.width, setting.fmt.pix_mp.height) = (size.width, size.height)
      setting.fmt.pix_mp.plane_fmt.0.bytesperline = rowBytes
      setting.fmt.pix_mp.colorspace = camera.colorspace
      setting.fmt.pix_mp.ycbcr_enc = UInt8(camera.encoding)
      setting.fmt.pix_mp.quantization = UInt8(camera.quantization)
    } else {
      (setting.fmt.pix.width, setting.fmt.pix.height) = (size.width, size.height)
      setting.fmt.pix.bytesperline = rowBytes
      setting.fmt.pix.colorspace = camera.colorspace
      setting.fmt.pix.priv = UInt32(V4L2_PIX_FMT_PRIV_MAGIC)
      setting.fmt.pix.ycbcr_enc = camera.encoding
      setting.fmt.pix.quantization = camera.quantization
    }
    format = setting
    return 0
  }

  /// What differs between the two interfaces.
  private struct BufferPlace {
    let place: UnsafeMutablePointer<v4l2_buffer>

    func set(length: UInt32, offset: UInt32) {
      if vl2_has_planes(place.pointee.type) != 0 {
        place.pointee.m.planes[0].length = length
        place.pointee.m.planes[0].m.mem_offset = offset
      } else {
        place.pointee.length = length
        place.pointee.m.offset = offset
      }
    }

    func set(used: UInt32, skipped: UInt32) {
      if vl2_has_planes(place.pointee.type) != 0 {
        place.pointee.m.planes[0].bytesused = used
        place.pointee.m.planes[0].data_offset = skipped
      } else {
        place.pointee.bytesused = used
      }
    }
  }

  private func buffer(
    _ argument: UnsafeMutableRawPointer, _ body: (Int, BufferPlace) -> Int32
  ) -> Int32 {
    let place = argument.assumingMemoryBound(to: v4l2_buffer.self)
    guard place.pointee.memory == V4L2_MEMORY_MMAP.rawValue,
      buffers.indices.contains(Int(place.pointee.index))
    else { return EINVAL }
    return body(Int(place.pointee.index), BufferPlace(place: place))
  }

  private func dequeue(_ argument: UnsafeMutableRawPointer) -> Int32 {
    guard !fillings.isEmpty, !queued.isEmpty else { return EAGAIN }
    let (filling, index) = (fillings.removeFirst(), queued.removeFirst())
    if let memory = buffers[index] {
      memory.copyBytes(from: filling.bytes.prefix(memory.count))
    }
    let place = argument.assumingMemoryBound(to: v4l2_buffer.self)
    place.pointee.index = filling.index ?? UInt32(index)
    place.pointee.flags = filling.flags
    BufferPlace(place: place).set(used: filling.used ?? UInt32(filling.bytes.count), skipped: filling.skipped)
    return 0
  }

  private static func put<Bytes>(_ text: String, _ bytes: inout Bytes) {
    withUnsafeMutableBytes(of: &bytes) { bytes in
      bytes.copyBytes(from: Array(text.utf8).prefix(bytes.count))
    }
  }
}
