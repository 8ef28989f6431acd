import CTurboJPEG

/// More scans than any encoder writes; each costs the time of a whole picture.
private let maximumScans = 100

/// What libjpeg says where the data of a scan do not go together: bytes were lost there, or changed. After its other
/// warnings all blocks are there; cameras leave bytes before the end marker and before restart markers, for example.
private let lostBytes = [
  "premature end of data segment", "bad Huffman code", "bad arithmetic code", "instead of RST",
]

extension Picture {
  /// Decodes a JPEG file through TurboJPEG. With the accurate DCT and smooth upsampling, libjpeg's defaults
  /// and so Pillow's, every libjpeg-turbo gives the same bytes.
  init(jpeg data: [UInt8], name: String, mostPixels: Int) throws {
    func damaged(_ reason: String) -> PictureError {
      .damaged(name: name, format: "JPEG", reason: reason)
    }
    guard let decoder = tjInitDecompress() else { throw PictureError.outOfMemory(name: name) }
    defer { tjDestroy(decoder) }
    func complaint() -> String {
      tjGetErrorStr2(decoder).map { String(cString: $0) } ?? "unknown error"
    }

    // Reading the header fails on subsamplings that TurboJPEG has no name for, but decoding works.
    var width: Int32 = 0
    var height: Int32 = 0
    var subsampling: Int32 = -1
    var colorSpace: Int32 = -1
    let headerStatus = tjDecompressHeader3(
      decoder, data, UInt(data.count), &width, &height, &subsampling, &colorSpace)
    let headerComplaint = headerStatus == 0 ? "" : complaint()
    if width > 0 && height > 0 && Int(width) * Int(height) > mostPixels {
      throw PictureError.tooManyPixels(name: name, width: Int(width), height: Int(height), limit: mostPixels)
    }
    let markers = JPEGMarkers(data)
    if let coding = markers.frame?.unsupported {
      throw PictureError.unsupportedCoding(name: name, coding: coding)
    }
    // Some cameras leave the end marker out, and some links lose it: that alone takes nothing from the picture.
    guard markers.isComplete || markers.hasAllScans else {
      throw PictureError.cutShort(name: name, format: "JPEG")
    }
    let data = markers.isComplete ? data : data + [0xFF, 0xD9]
    guard width > 0 && height > 0 else { throw damaged(headerComplaint) }
    guard markers.scans <= maximumScans else { throw damaged("\(markers.scans) scans") }

    let channels = colorSpace == TJCS_CMYK.number || colorSpace == TJCS_YCCK.number ? 4 : 3
    let format = channels == 4 ? TJPF_CMYK.number : TJPF_RGB.number
    let count = Int(width) * Int(height) * channels
    try Self.checkMemory(count, name: name)
    var status: Int32 = -1
    var pixels = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      status = tjDecompress2(
        decoder, data, UInt(data.count), buffer.baseAddress, width, width * Int32(channels), height,
        format, TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS)
      if status != 0 && tjGetErrorCode(decoder) == TJERR_WARNING.number { status = 1 }
      initialized = status < 0 ? 0 : count
    }
    if status != 0 {
      let reason = complaint()
      if reason.hasPrefix("Insufficient memory") { throw PictureError.outOfMemory(name: name) }
      // Without an end marker, only a decoder that complains of nothing has found all blocks.
      guard markers.isComplete else { throw PictureError.cutShort(name: name, format: "JPEG") }
      guard status > 0 else { throw damaged(reason) }
      if reason.hasPrefix("Premature end") { throw PictureError.cutShort(name: name, format: "JPEG") }
      if lostBytes.contains(where: reason.contains) { throw damaged("bytes of the picture are missing") }
    }
    if channels == 4 { pixels = rgb(fromInvertedCMYK: pixels) }

    let orientation = markers.exif.map { Orientation(exif: data[$0]) } ?? .upright
    self = Picture(width: Int(width), height: Int(height), pixels: pixels)
      .turnedUpright(from: orientation)
  }
}

/// Turns JPEG's CMYK into RGB as Pillow does. The CMYK is inverted, as Adobe's programs write it.
private func rgb(fromInvertedCMYK pixels: [UInt8]) -> [UInt8] {
  let count = pixels.count / 4
  return [UInt8](unsafeUninitializedCapacity: 3 * count) { target, initialized in
    for pixel in 0..<count {
      let white = Int(pixels[4 * pixel + 3])
      for channel in 0..<3 {
        let ink = ((255 - Int(pixels[4 * pixel + channel])) * white).dividedBy255
        target[3 * pixel + channel] = UInt8(max(0, white - ink))
      }
    }
    initialized = 3 * count
  }
}

// The underlying type of C enumerations differs between versions of the header.
extension TJCS { fileprivate var number: Int32 { Int32(rawValue) } }
extension TJPF { fileprivate var number: Int32 { Int32(rawValue) } }
extension TJERR { fileprivate var number: Int32 { Int32(rawValue) } }

extension JPEGMarkers.Frame {
  /// The name of a kind of JPEG that TurboJPEG does not decode; nil for one that it does.
  fileprivate var unsupported: String? {
    switch process {
    case 0xC3, 0xC7, 0xCB, 0xCF: "lossless JPEG"
    case 0xC5, 0xC6, 0xCD, 0xCE: "hierarchical JPEG"
    default: precision == 8 ? nil : "\(precision)-bit JPEG"
    }
  }
}
