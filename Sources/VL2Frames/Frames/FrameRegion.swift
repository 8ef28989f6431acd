import VL2Run

/// A part of a picture, in pixels.
package struct FrameRegion: Sendable, Equatable {
  package var left: Int
  package var top: Int
  package var width: Int
  package var height: Int

  package init(left: Int, top: Int, width: Int, height: Int) {
    self.left = left
    self.top = top
    self.width = width
    self.height = height
  }

  /// From `LEFT,TOP,WIDTH,HEIGHT`; nil where that is no region.
  package init?(_ text: String) {
    let numbers = text.split(separator: ",", omittingEmptySubsequences: false).map { part -> Int? in
      let word = part.drop { $0 == " " }
      let digits = word.prefix { $0.isASCII && $0.isNumber }
      return digits.count == word.count && digits.count < 7 ? Int(digits) : nil
    }
    guard numbers.count == 4, let left = numbers[0], let top = numbers[1], let width = numbers[2],
      let height = numbers[3], width > 0, height > 0
    else { return nil }
    self.init(left: left, top: top, width: width, height: height)
  }

  /// What of it lies on a picture of this size; nil where nothing does.
  package func clipped(width: Int, height: Int) -> FrameRegion? {
    let right = min(left + self.width, width)
    let bottom = min(top + self.height, height)
    guard left < right, top < bottom else { return nil }
    return FrameRegion(left: left, top: top, width: right - left, height: bottom - top)
  }

  /// Its place on a part of the picture; nil where it lies outside.
  package func place(on part: FrameRegion) -> FrameRegion? {
    let (left, top) = (max(left, part.left), max(top, part.top))
    let right = min(self.left + width, part.left + part.width)
    let bottom = min(self.top + height, part.top + part.height)
    guard left < right, top < bottom else { return nil }
    return FrameRegion(left: left - part.left, top: top - part.top, width: right - left, height: bottom - top)
  }
}

extension Picture {
  /// A part of it; nil where the region lies outside.
  package func part(_ region: FrameRegion) -> Picture? {
    guard let region = region.clipped(width: width, height: height) else { return nil }
    var part: [UInt8] = []
    part.reserveCapacity(region.width * region.height * 3)
    for row in region.top..<region.top + region.height {
      let begin = (row * width + region.left) * 3
      part += pixels[begin..<begin + region.width * 3]
    }
    return Picture(width: region.width, height: region.height, pixels: part)
  }

  /// With some parts painted grey.
  package func covering(_ regions: [FrameRegion]) -> Picture {
    var painted = pixels
    for region in regions.compactMap({ $0.clipped(width: width, height: height) }) {
      for row in region.top..<region.top + region.height {
        let begin = (row * width + region.left) * 3
        for index in begin..<begin + region.width * 3 { painted[index] = 128 }
      }
    }
    return regions.isEmpty ? self : Picture(width: width, height: height, pixels: painted)
  }
}
