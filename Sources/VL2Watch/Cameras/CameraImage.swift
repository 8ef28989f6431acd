import CV4L2
import VL2Frames
import VL2Run

/// How pictures lie in a camera's buffers, and how they are turned into red, green and blue.
///
/// Source: ITU-R BT.601-7, BT.709-6, BT.2020-2, and the defaults of the kernel's V4L2_MAP_QUANTIZATION_DEFAULT and
/// V4L2_MAP_YCBCR_ENC_DEFAULT.
struct CameraImage: Equatable {
  let format: CameraFormat
  let size: CameraSize
  /// Bytes from one row to the next; the rows of color in NV12 are as long.
  let rowBytes: Int
  /// Fewer are no picture.
  let leastBytes: Int
  private let color: ColorNumbers

  /// nil for what a driver cannot mean.
  init?(_ given: vl2_image_format, _ format: CameraFormat) {
    let (width, height) = (Int(given.width), Int(given.height))
    guard width > 0, height > 0, width <= Frame.mostPixels / height else { return nil }
    self.format = format
    size = CameraSize(width, height)
    color = ColorNumbers(given)
    // Two pixels share their color.
    let pairs = (width + 1) / 2
    let row: Int
    switch format {
    case .mjpeg: row = 0
    case .yuyv: row = 4 * pairs
    case .nv12: row = 2 * pairs
    }
    rowBytes = format == .mjpeg ? 0 : given.bytesperline == 0 ? row : Int(given.bytesperline)
    // A row that is longer than a buffer may be would be of no use, and its product with the height too large.
    guard rowBytes >= row || format == .nv12 && rowBytes == width, rowBytes <= 1 << 20 else { return nil }
    switch format {
    case .mjpeg: leastBytes = 4
    case .yuyv: leastBytes = rowBytes * (height - 1) + row
    case .nv12: leastBytes = rowBytes * (height + (height + 1) / 2 - 1) + min(row, rowBytes)
    }
  }

  /// The frame that some bytes are, `leastBytes` at least; nil where they are none.
  func frame(_ bytes: [UInt8]) -> Frame? {
    switch format {
    case .mjpeg: Self.wholeJPEG(bytes).map { Frame(.encoded($0)) }
    case .yuyv, .nv12: Frame(.decoded(picture(bytes)))
    }
  }

  /// The picture in a buffer: cameras add zeros behind it, and stop in the middle where the bus was too slow.
  private static func wholeJPEG(_ bytes: [UInt8]) -> [UInt8]? {
    var splitter = JPEGSplitter()
    splitter.add(bytes)
    splitter.end()
    guard let picture = splitter.next(), picture.suffix(2) == [0xFF, 0xD9] else { return nil }
    return picture
  }

  private func picture(_ bytes: [UInt8]) -> Picture {
    let (width, height) = (size.width, size.height)
    let pixels = [UInt8](unsafeUninitializedCapacity: width * height * 3) { pixels, count in
      bytes.withUnsafeBufferPointer { bytes in
        for row in 0..<height {
          let luma = row * rowBytes
          // NV12 has its color behind all rows, one row of it for two.
          let chroma = format == .yuyv ? luma + 1 : (height + row / 2) * rowBytes
          let step = format == .yuyv ? 2 : 1
          var place = row * width * 3
          for column in stride(from: 0, to: width, by: 2) {
            let (blue, red) =
              format == .yuyv
              ? (bytes[chroma + 2 * column], bytes[chroma + 2 * column + 2])
              : (bytes[chroma + column], bytes[chroma + min(column + 1, rowBytes - 1)])
            let offsets = color.offsets(blue, red)
            for pixel in column..<min(column + 2, width) {
              let light = color.light(bytes[luma + pixel * step])
              pixels[place] = ColorNumbers.byte(light + offsets.red)
              pixels[place + 1] = ColorNumbers.byte(light + offsets.green)
              pixels[place + 2] = ColorNumbers.byte(light + offsets.blue)
              place += 3
            }
          }
        }
      }
      count = width * height * 3
    }
    return Picture(width: width, height: height, pixels: pixels)
  }
}

/// How luma and the two differences of color become red, green and blue: factors in 65536ths.
private struct ColorNumbers: Equatable {
  private var black: Int32
  private var lumaFactor: Int32
  private var redFactor: Int32
  private var greenOfBlue: Int32
  private var greenOfRed: Int32
  private var blueFactor: Int32

  init(_ given: vl2_image_format) {
    // Shares of red and blue in luma.
    let (red, blue) =
      switch Self.encoding(given) {
      case V4L2_YCBCR_ENC_709.rawValue, V4L2_YCBCR_ENC_XV709.rawValue: (0.2126, 0.0722)
      case V4L2_YCBCR_ENC_BT2020.rawValue, V4L2_YCBCR_ENC_BT2020_CONST_LUM.rawValue: (0.2627, 0.0593)
      case V4L2_YCBCR_ENC_SMPTE240M.rawValue: (0.212, 0.087)
      default: (0.299, 0.114)
      }
    let isFull =
      given.quantization == V4L2_QUANTIZATION_FULL_RANGE.rawValue
      || given.quantization == V4L2_QUANTIZATION_DEFAULT.rawValue
        && given.colorspace == V4L2_COLORSPACE_JPEG.rawValue
    let (lumaScale, chromaScale) = isFull ? (1.0, 1.0) : (255.0 / 219, 255.0 / 224)
    func fixed(_ value: Double) -> Int32 { Int32((value * 65_536).rounded()) }
    black = isFull ? 0 : 16
    lumaFactor = fixed(lumaScale)
    redFactor = fixed(2 * (1 - red) * chromaScale)
    blueFactor = fixed(2 * (1 - blue) * chromaScale)
    let green = 1 - red - blue
    greenOfBlue = fixed(2 * (1 - blue) * blue / green * chromaScale)
    greenOfRed = fixed(2 * (1 - red) * red / green * chromaScale)
  }

  private static func encoding(_ given: vl2_image_format) -> UInt32 {
    guard given.encoding == V4L2_YCBCR_ENC_DEFAULT.rawValue else { return given.encoding }
    return switch given.colorspace {
    case V4L2_COLORSPACE_REC709.rawValue, V4L2_COLORSPACE_DCI_P3.rawValue: V4L2_YCBCR_ENC_709.rawValue
    case V4L2_COLORSPACE_BT2020.rawValue: V4L2_YCBCR_ENC_BT2020.rawValue
    case V4L2_COLORSPACE_SMPTE240M.rawValue: V4L2_YCBCR_ENC_SMPTE240M.rawValue
    default: V4L2_YCBCR_ENC_601.rawValue
    }
  }

  /// With the half that rounds.
  func light(_ luma: UInt8) -> Int32 { (Int32(luma) - black) * lumaFactor + 32_768 }

  func offsets(_ blue: UInt8, _ red: UInt8) -> (red: Int32, green: Int32, blue: Int32) {
    let (blue, red) = (Int32(blue) - 128, Int32(red) - 128)
    return (red * redFactor, -blue * greenOfBlue - red * greenOfRed, blue * blueFactor)
  }

  static func byte(_ value: Int32) -> UInt8 { UInt8(truncatingIfNeeded: max(0, min(255, value >> 16))) }
}
