import CV4L2
import VL2Base

/// How a camera hands over its pictures; those that can be read here, the one that is preferred first.
package enum CameraFormat: String, Sendable, CaseIterable {
  case mjpeg, yuyv, nv12

  /// Of a driver's number for a format; nil for one that cannot be read.
  init?(code: UInt32) {
    switch code {
    case VL2_MJPEG, VL2_JPEG: self = .mjpeg
    case VL2_YUYV: self = .yuyv
    case VL2_NV12: self = .nv12
    default: return nil
    }
  }

  /// A number of four letters, as people write it.
  static func name(_ code: UInt32) -> String {
    if let format = CameraFormat(code: code) { return format.rawValue }
    let letters = (0..<4).map { UInt8(truncatingIfNeeded: code >> (8 * $0)) }
    return UntrustedText.line(String(decoding: letters, as: UTF8.self).trimmed())
  }
}

/// Width and height of a camera's pictures.
package struct CameraSize: Sendable, Equatable {
  package var width: Int
  package var height: Int

  package init(_ width: Int, _ height: Int) {
    self.width = width
    self.height = height
  }

  /// From `1280x720`; nil where that is no size.
  package init?(_ text: String) {
    let sides = text.split(separator: "x", omittingEmptySubsequences: false).map { part -> Int? in
      (1...5).contains(part.count) && part.allSatisfy { $0.isASCII && $0.isNumber } ? Int(part) : nil
    }
    guard sides.count == 2, let width = sides[0], let height = sides[1], width > 0, height > 0 else {
      return nil
    }
    self.init(width, height)
  }

  package var text: String { "\(width)x\(height)" }

  /// How far apart two sizes are.
  func distance(to other: CameraSize) -> Int { abs(width - other.width) + abs(height - other.height) }
}

/// The sizes in which a camera gives a format.
enum CameraSizes: Equatable {
  case listed([CameraSize])
  /// Any from the least to the most, in steps.
  case range(least: CameraSize, most: CameraSize, step: CameraSize)
  /// The driver does not say.
  case unknown

  /// The one that is nearest to what is wished; of two, the larger.
  func nearest(_ wish: CameraSize) -> CameraSize? {
    switch self {
    case .listed(let sizes):
      return sizes.min { one, other in
        (one.distance(to: wish), -one.width, -one.height)
          < (other.distance(to: wish), -other.width, -other.height)
      }
    case .range(let least, let most, let step):
      func nearest(_ wish: Int, _ least: Int, _ most: Int, _ step: Int) -> Int {
        least + (min(max(wish, least), most) - least) / max(1, step) * max(1, step)
      }
      return CameraSize(
        nearest(wish.width, least.width, most.width, step.width),
        nearest(wish.height, least.height, most.height, step.height))
    case .unknown: return wish
    }
  }

  var text: String {
    switch self {
    case .listed(let sizes): sizes.map(\.text).joined(separator: ", ")
    case .range(let least, let most, _): "\(least.text) to \(most.text)"
    case .unknown: "sizes that it does not list"
    }
  }
}

/// What is wished of a camera; what is not given is chosen.
package struct CameraWish: Sendable, Equatable {
  package var size: CameraSize?
  /// Frames a second.
  package var rate: Double?
  package var format: CameraFormat?

  package init(size: CameraSize? = nil, rate: Double? = nil, format: CameraFormat? = nil) {
    self.size = size
    self.rate = rate
    self.format = format
  }

  package var isEmpty: Bool { self == CameraWish() }

  /// Enough for tiles, and little enough for a board and its bus.
  static let usualSize = CameraSize(1280, 720)
  static let usualRate = 10.0
}
