extension Picture {
  /// The picture with the boxes of spans on it, each with its label at the upper left; boxes of the same label have
  /// the same colour. Lines and letters grow with the picture.
  public func drawing(_ spans: [GroundedSpan]) -> Picture { drawn(spans) { SystemFonts() }.picture }

  /// The same, and what could not be drawn of the labels.
  ///
  /// - Parameter part: of the picture, on which the boxes lie; nil for all of it.
  package func drawn(
    _ spans: [GroundedSpan], on part: PixelBox? = nil
  ) -> (picture: Picture, missing: MissingLetters) {
    drawn(spans, on: part) { SystemFonts() }
  }

  /// - Parameter fonts: opens the fonts for labels that need some.
  package func drawn(
    _ spans: [GroundedSpan], on part: PixelBox? = nil, fonts: () -> SystemFonts?
  ) -> (picture: Picture, missing: MissingLetters) {
    var drawing = PictureDrawing(self)
    let side = min(width, height)
    let thickness = max(1, (side + 100) / 200)
    let scale = max(1, (side + 150) / 300)
    var labels: [String] = []
    var texts: [TextStrip] = []
    var missing = MissingLetters()
    let fonts = spans.allSatisfy { GlyphTable.has($0.label) } ? nil : fonts()
    // Labels come last, so that no box crosses them out.
    var plates: [(place: PixelBox, text: TextStrip, color: PixelColor)] = []
    for span in spans {
      let index = labels.firstIndex(of: span.label) ?? labels.count
      if index == labels.count {
        labels.append(span.label)
        texts.append(text(span.label, scale: scale, fonts, &missing))
      }
      let color = Self.boxColors[index % Self.boxColors.count]
      for box in span.boxes {
        let pixels = box.pixels(on: part ?? bounds)
        drawing.frame(pixels, thickness: thickness, color)
        guard !span.label.isEmpty else { continue }
        let place = labelPlate(texts[index], at: pixels, scale: scale, avoiding: plates.map(\.place))
        plates.append((place, texts[index], color))
      }
    }
    for (place, text, color) in plates {
      drawing.fill(place.left..<place.right, place.top..<place.bottom, color)
      drawing.write(text, x: place.left + scale, y: place.top + scale, color.readable)
    }
    return (drawing.picture, missing)
  }

  /// A label's letters: our own where they are enough, which look the same everywhere, else those of a font.
  private func text(
    _ label: String, scale: Int, _ fonts: SystemFonts?, _ missing: inout MissingLetters
  ) -> TextStrip {
    guard !GlyphTable.has(label) else { return TextStrip(label, scale: scale, mostWidth: width) }
    guard let fonts else {
      missing.isLibraryMissing = true
      missing.add(label.unicodeScalars.filter { !GlyphTable.has(String($0)) })
      return TextStrip(label, scale: scale, mostWidth: width)
    }
    // Smaller ones cannot be read in many scripts.
    let (text, undrawn) = fonts.strip(label, size: max(14, 10 * scale), mostWidth: width)
    missing.add(undrawn)
    return text
  }

  /// Colours that most eyes can tell apart on most pictures.
  ///
  /// Source: Okabe and Ito, "Color universal design", 2008, without black.
  private static let boxColors = [
    PixelColor(red: 213, green: 94, blue: 0), PixelColor(red: 0, green: 114, blue: 178),
    PixelColor(red: 0, green: 158, blue: 115), PixelColor(red: 240, green: 228, blue: 66),
    PixelColor(red: 204, green: 121, blue: 167), PixelColor(red: 86, green: 180, blue: 233),
    PixelColor(red: 230, green: 159, blue: 0),
  ]

  /// Where a label goes: above its box where there is room, else inside, moved down while it would hide another
  /// and moved left where it would leave the picture.
  private func labelPlate(
    _ text: TextStrip, at box: PixelBox, scale: Int, avoiding placed: [PixelBox]
  ) -> PixelBox {
    let plateWidth = text.width + scale
    let plateHeight = text.height + 2 * scale
    let left = max(0, min(box.left, width - plateWidth))
    var plate = PixelBox(left: left, top: 0, right: left + plateWidth, bottom: 0)
    func move(to top: Int) {
      plate.top = top
      plate.bottom = top + plateHeight
    }
    move(to: box.top >= plateHeight ? box.top - plateHeight : box.top)
    while let other = placed.first(where: { $0.overlaps(plate) }), other.bottom + plateHeight <= height {
      move(to: other.bottom)
    }
    return plate
  }
}

extension PixelBox {
  fileprivate func overlaps(_ other: PixelBox) -> Bool {
    left < other.right && other.left < right && top < other.bottom && other.top < bottom
  }
}
