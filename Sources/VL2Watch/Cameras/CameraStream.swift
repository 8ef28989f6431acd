import CV4L2
import Glibc
import VL2Base
import VL2Frames

/// A camera that gives pictures, through buffers that it shares with its driver. It ends, and its memory goes, when nobody
/// holds it any more.
final class CameraStream {
  /// What came out of a buffer.
  enum Taken {
    case bytes([UInt8])
    /// The driver marked it, or it is too short.
    case broken
    /// None is full.
    case nothing
  }

  private struct Mapping {
    var memory: UnsafeMutableRawPointer
    var bytes: Int
    var isQueued = false
  }

  let image: CameraImage
  private let device: CameraDevice
  private var mappings: [Mapping] = []

  /// Sets the camera up and has it begin.
  ///
  /// - Throws: `FileError`.
  init(_ device: CameraDevice, _ wish: CameraWish) throws(FileError) {
    self.device = device
    image = try device.choose(wish)
    // From here on what fails is undone by deinit.
    try mapBuffers()
    for index in mappings.indices { try queue(index) }
    var type = Int32(device.type)
    let number = device.control(VL2_STREAMON, &type)
    guard number == 0 else { throw CameraError.settingUp(device.path, "VIDIOC_STREAMON", number) }
  }

  deinit {
    // What these say does not matter: the camera may be gone, and closing it ends everything.
    var type = Int32(device.type)
    _ = device.control(VL2_STREAMOFF, &type)
    for mapping in mappings { device.calls.unmap(mapping.memory, bytes: mapping.bytes) }
    var none = request(0)
    _ = device.control(VL2_REQBUFS, &none)
  }

  var bufferCount: Int { mappings.count }

  /// Enough for one to be filled while others wait to be looked at.
  private static let wishedBuffers: UInt32 = 4
  private static let mostBuffers: UInt32 = 32
  /// Of a buffer; a picture of the most pixels that are read takes less.
  private static let mostBytes: UInt32 = 256 << 20

  private func request(_ count: UInt32) -> v4l2_requestbuffers {
    var request = v4l2_requestbuffers()
    (request.count, request.type, request.memory) = (count, device.type, V4L2_MEMORY_MMAP.rawValue)
    return request
  }

  private func mapBuffers() throws(FileError) {
    var request = request(Self.wishedBuffers)
    let number = device.control(VL2_REQBUFS, &request)
    guard number == 0 else { throw CameraError.settingUp(device.path, "VIDIOC_REQBUFS", number) }
    guard (1...Self.mostBuffers).contains(request.count) else {
      throw CameraError.impossible(device.path, "\(request.count) buffers")
    }
    for index in 0..<request.count {
      var number: Int32 = 0
      let facts = buffer(index) { number = device.calls.control(device.descriptor, VL2_QUERYBUF, $0) }
      guard number == 0 else { throw CameraError.settingUp(device.path, "VIDIOC_QUERYBUF", number) }
      guard (1...Self.mostBytes).contains(facts.length) else {
        throw CameraError.impossible(device.path, "a buffer of \(facts.length) bytes")
      }
      let bytes = Int(facts.length)
      let mapped = device.calls.map(device.descriptor, bytes: bytes, offset: Int(facts.offset))
      guard let memory = mapped.memory else {
        throw CameraError.settingUp(device.path, "mmap", mapped.number)
      }
      mappings.append(Mapping(memory: memory, bytes: bytes))
    }
  }

  /// A call about a buffer, and what is said of it then.
  private func buffer(_ index: UInt32, _ call: (UnsafeMutableRawPointer) -> Void) -> vl2_buffer_facts {
    var buffer = vl2_buffer()
    return withUnsafeMutablePointer(to: &buffer) { place in
      vl2_buffer_prepare(place, device.type, index)
      call(place)
      return vl2_buffer_given(place)
    }
  }

  private func queue(_ index: Int) throws(FileError) {
    var number: Int32 = 0
    _ = buffer(UInt32(index)) { number = device.calls.control(device.descriptor, VL2_QBUF, $0) }
    guard number == 0 else { throw CameraError.failing(device.path, "VIDIOC_QBUF", number) }
    mappings[index].isQueued = true
  }

  /// Waits until a buffer is full, at most so many seconds.
  ///
  /// - Returns: whether one is.
  /// - Throws: `FileError` where there will be none.
  func wait(_ seconds: Double) throws(FileError) -> Bool {
    let found = device.calls.poll(
      device.descriptor, milliseconds: Int32(min(60_000, max(0, seconds * 1000)).rounded(.up)))
    if found < 0 { throw CameraError.failing(device.path, "poll", -found) }
    if found & Int32(POLLIN) != 0 { return true }
    if found != 0 { throw CameraError.lost(device.path, "the system reports an error of it") }
    return false
  }

  /// Takes the next full buffer, copies what is in it, and hands the buffer back.
  ///
  /// - Throws: `FileError` where there will be no more.
  func take() throws(FileError) -> Taken {
    var number: Int32 = 0
    let facts = buffer(0) { number = device.calls.control(device.descriptor, VL2_DQBUF, $0) }
    if number == EAGAIN { return .nothing }
    guard number == 0 else { throw CameraError.failing(device.path, "VIDIOC_DQBUF", number) }
    let index = Int(facts.index)
    guard mappings.indices.contains(index), mappings[index].isQueued else {
      throw CameraError.impossible(device.path, "buffer \(index), which it does not have")
    }
    mappings[index].isQueued = false
    let taken = taken(facts, mappings[index])
    // In any case: a camera whose buffers are not handed back stops.
    try queue(index)
    return taken
  }

  private func taken(_ facts: vl2_buffer_facts, _ mapping: Mapping) -> Taken {
    let (begin, end) = (Int(facts.skipped), Int(facts.used))
    guard facts.flags & UInt32(V4L2_BUF_FLAG_ERROR) == 0, begin < end, end <= mapping.bytes,
      end - begin >= image.leastBytes
    else { return .broken }
    return .bytes(Array(UnsafeRawBufferPointer(start: mapping.memory + begin, count: end - begin)))
  }
}

extension CameraDevice {
  /// Chooses among what it gives, and sets it so.
  fileprivate func choose(_ wish: CameraWish) throws(FileError) -> CameraImage {
    let codes = try formats()
    var offers: [(code: UInt32, format: CameraFormat, sizes: CameraSizes)] = []
    for format in CameraFormat.allCases {
      for code in codes where CameraFormat(code: code) == format {
        offers.append((code, format, try sizes(code)))
      }
    }
    let names = codes.isEmpty ? "no format" : codes.map { CameraFormat.name($0) }.joined(separator: ", ")
    guard !offers.isEmpty else {
      throw FileError(
        .unavailable, path, "it gives \(names), and what is read here is mjpeg, yuyv or nv12",
        "take a program that turns it into MJPEG, as command:LINE")
    }
    if let format = wish.format {
      offers.removeAll { $0.format != format }
      guard !offers.isEmpty else {
        throw FileError(.usage, path, "it gives \(names), not \(format.rawValue)", "give another 'format'")
      }
    }
    let size = wish.size ?? CameraWish.usualSize
    let fitting = offers.first { offer in wish.size == nil || offer.sizes.nearest(size) == size }
    guard let offer = fitting, let nearest = offer.sizes.nearest(size) else {
      let sizes = offers.map { "\($0.format.rawValue) in \($0.sizes.text)" }.joined(separator: "; ")
      throw FileError(.usage, path, "it does not give \(size.text), but \(sizes)", "give another 'size'")
    }
    let image = try set(offer.code, offer.format, nearest)
    if wish.size != nil, image.size != size {
      throw FileError(
        .usage, path, "it gives \(image.size.text) where \(size.text) is asked for", "give another 'size'")
    }
    try set(CameraRate.nearest(wish.rate ?? CameraWish.usualRate, of: rates(offer.code, image.size)))
    return image
  }

  private func set(
    _ code: UInt32, _ format: CameraFormat, _ size: CameraSize
  ) throws(FileError) -> CameraImage {
    var wish = vl2_image_format()
    (wish.width, wish.height, wish.pixelformat) = (UInt32(size.width), UInt32(size.height), code)
    var setting = vl2_format_wished(type, wish)
    let number = control(VL2_S_FMT, &setting)
    guard number == 0 else { throw CameraError.settingUp(path, "VIDIOC_S_FMT", number) }
    setting.type = type
    let given = vl2_format_given(&setting)
    guard given.pixelformat == code, given.planes == 1 else {
      throw CameraError.impossible(
        path, "\(CameraFormat.name(given.pixelformat)) for \(CameraFormat.name(code))")
    }
    guard let image = CameraImage(given, format) else {
      throw CameraError.impossible(
        path, "\(given.width)x\(given.height), \(given.bytesperline) bytes a row")
    }
    return image
  }

  private func set(_ rate: CameraRate) throws(FileError) {
    var setting = v4l2_streamparm()
    setting.type = type
    setting.parm.capture.timeperframe = rate.interval
    let number = control(VL2_S_PARM, &setting)
    // Many drivers have one rate and no such call.
    guard [0, ENOTTY, EINVAL].contains(number) else {
      throw CameraError.settingUp(path, "VIDIOC_S_PARM", number)
    }
  }
}
