import CV4L2
import Glibc
import VL2Base
import VL2Frames

/// A camera that is open. All that its driver says is checked before it is used.
struct CameraDevice {
  /// A descriptor that is closed when nobody holds it any more.
  private final class Handle {
    let number: Int32
    let calls: any DeviceCalls

    init(_ path: String, _ calls: any DeviceCalls) throws(FileError) {
      let number = calls.open(path)
      guard number >= 0 else { throw CameraError.opening(path, -number) }
      (self.number, self.calls) = (number, calls)
    }

    deinit { calls.close(number) }
  }

  let path: String
  let card: String
  let driver: String
  /// Where it is plugged in.
  let bus: String
  /// Which of the two interfaces its driver speaks: a v4l2_buf_type.
  let type: UInt32
  private let handle: Handle

  /// Opens it.
  ///
  /// - Throws: `FileError` for what is no camera, or gives no pictures.
  init(_ path: String, _ calls: any DeviceCalls) throws(FileError) {
    handle = try Handle(path, calls)
    self.path = path
    var about = v4l2_capability()
    let number = calls.control(handle.number, VL2_QUERYCAP, &about)
    switch number {
    case 0: break
    case ENOTTY, EINVAL, ENOSYS: throw CameraError.noCamera(path)
    default: throw CameraError.settingUp(path, "VIDIOC_QUERYCAP", number)
    }
    (card, driver, bus) = (Self.text(about.card), Self.text(about.driver), Self.text(about.bus_info))
    // A camera may have several nodes, and says of each what it is for.
    let can = about.capabilities & VL2_HAS_DEVICE_CAPS != 0 ? about.device_caps : about.capabilities
    if can & VL2_CAPTURE != 0 {
      type = V4L2_BUF_TYPE_VIDEO_CAPTURE.rawValue
    } else if can & VL2_CAPTURE_PLANES != 0 {
      type = V4L2_BUF_TYPE_VIDEO_CAPTURE_MPLANE.rawValue
    } else {
      throw CameraError.notCapturing(path)
    }
    guard can & VL2_STREAMING != 0 else {
      throw FileError(.unavailable, path, "its driver has no buffers for streams", "take another camera")
    }
  }

  /// Bytes up to the first zero, or all.
  private static func text<Bytes>(_ bytes: Bytes) -> String {
    withUnsafeBytes(of: bytes) { bytes in
      UntrustedText.line(String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self))
    }
  }

  var calls: any DeviceCalls { handle.calls }
  /// Open as long as the camera is held.
  var descriptor: Int32 { handle.number }

  /// ioctl with a structure: 0, or an error number.
  func control<Structure>(_ request: UInt, _ structure: inout Structure) -> Int32 {
    withUnsafeMutablePointer(to: &structure) { calls.control(handle.number, request, $0) }
  }

  /// More of anything is not looked at.
  private static let mostEntries: UInt32 = 256
  private static let longestSide: UInt32 = 32_768

  /// The numbers of its formats, the driver's first choice first.
  func formats() throws(FileError) -> [UInt32] {
    var codes: [UInt32] = []
    for index in 0..<Self.mostEntries {
      var entry = v4l2_fmtdesc()
      (entry.index, entry.type) = (index, type)
      let number = control(VL2_ENUM_FMT, &entry)
      if number == EINVAL || number == ENOTTY { break }
      guard number == 0 else { throw CameraError.settingUp(path, "VIDIOC_ENUM_FMT", number) }
      if !codes.contains(entry.pixelformat) { codes.append(entry.pixelformat) }
    }
    return codes
  }

  func sizes(_ code: UInt32) throws(FileError) -> CameraSizes {
    var sizes: [CameraSize] = []
    for index in 0..<Self.mostEntries {
      var entry = v4l2_frmsizeenum()
      (entry.index, entry.pixel_format) = (index, code)
      let number = control(VL2_ENUM_FRAMESIZES, &entry)
      if number == EINVAL || number == ENOTTY { break }
      guard number == 0 else { throw CameraError.settingUp(path, "VIDIOC_ENUM_FRAMESIZES", number) }
      guard entry.type == V4L2_FRMSIZE_TYPE_DISCRETE.rawValue else {
        return range(entry.stepwise)
      }
      guard let size = size(entry.discrete.width, entry.discrete.height), !sizes.contains(size) else {
        continue
      }
      sizes.append(size)
    }
    return sizes.isEmpty ? .unknown : .listed(sizes)
  }

  private func size(_ width: UInt32, _ height: UInt32) -> CameraSize? {
    let sides = 1...Self.longestSide
    return sides.contains(width) && sides.contains(height) ? CameraSize(Int(width), Int(height)) : nil
  }

  private func range(_ steps: v4l2_frmsize_stepwise) -> CameraSizes {
    let most = size(min(steps.max_width, Self.longestSide), min(steps.max_height, Self.longestSide))
    guard let least = size(steps.min_width, steps.min_height), let most, least.width <= most.width,
      least.height <= most.height
    else { return .unknown }
    return .range(
      least: least, most: most, step: size(steps.step_width, steps.step_height) ?? CameraSize(1, 1))
  }

  /// Frames a second in a format and size, the fastest first; empty where the driver lists none.
  func rates(_ code: UInt32, _ size: CameraSize) -> [CameraRate] {
    var rates: [CameraRate] = []
    for index in 0..<Self.mostEntries {
      var entry = v4l2_frmivalenum()
      (entry.index, entry.pixel_format) = (index, code)
      (entry.width, entry.height) = (UInt32(size.width), UInt32(size.height))
      guard control(VL2_ENUM_FRAMEINTERVALS, &entry) == 0,
        entry.type == V4L2_FRMIVAL_TYPE_DISCRETE.rawValue
      else { break }
      let rate = CameraRate(entry.discrete)
      if rate.isPossible, !rates.contains(rate) { rates.append(rate) }
    }
    return rates.sorted { $0.perSecond > $1.perSecond }
  }
}

/// How often a camera gives a picture, as drivers say it: a fraction of a second.
struct CameraRate: Equatable {
  var numerator: UInt32
  var denominator: UInt32

  init(_ interval: v4l2_fract) { (numerator, denominator) = (interval.numerator, interval.denominator) }

  init(perSecond: Double) {
    (numerator, denominator) = (1000, UInt32(max(1, min(perSecond, 1000) * 1000)))
  }

  var isPossible: Bool { numerator > 0 && denominator > 0 }
  var perSecond: Double { Double(denominator) / Double(numerator) }
  var interval: v4l2_fract { v4l2_fract(numerator: numerator, denominator: denominator) }

  /// The slowest that is not slower than what is wished; else the fastest.
  static func nearest(_ wish: Double, of rates: [CameraRate]) -> CameraRate {
    rates.last { $0.perSecond >= wish * 0.99 } ?? rates.first ?? CameraRate(perSecond: wish)
  }
}
