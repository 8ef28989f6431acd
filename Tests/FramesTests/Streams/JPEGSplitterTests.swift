import Foundation
import TestFrames
import TestSupport
import Testing
import VL2Frames
import VL2Run

@Suite struct JPEGSplitterTests {
  /// Small pictures that differ.
  private static let pictures: [[UInt8]] = (0..<6).map { index in
    var scene = DrawnScene(width: 48 + 8 * index, height: 40)
    scene.shapes.removeLast(index)
    return scene.picture(seed: UInt64(index)).jpeg(quality: 60 + 5 * index)
  }
  private var pictures: [[UInt8]] { Self.pictures }

  /// Everything that is found in a stream that comes in pieces.
  private func found(_ stream: [UInt8], pieces: (Int) -> Int, mostBytes: Int = 1 << 20) -> (
    [[UInt8]], broken: Int
  ) {
    var splitter = JPEGSplitter(mostBytes: mostBytes)
    var found: [[UInt8]] = []
    var position = 0
    while position < stream.count {
      let end = min(stream.count, position + max(1, pieces(position)))
      splitter.add(stream[position..<end])
      while let picture = splitter.next() { found.append(picture) }
      position = end
    }
    splitter.end()
    while let picture = splitter.next() { found.append(picture) }
    return (found, splitter.broken)
  }

  @Test func cutAnywhere() {
    let stream = pictures.flatMap { $0 }
    for piece in [1, 2, 3, 7, 100, 4096, 1 << 20] {
      let (pictures, broken) = found(stream) { _ in piece }
      #expect(pictures == self.pictures, "pieces of \(piece)")
      #expect(broken == 0)
    }
  }

  @Test func partHeadersAndGarbage() {
    for between in [
      "\r\n--frame\r\nContent-Type: image/jpeg\r\nContent-Length: 1234\r\n\r\n", "garbage", "\u{0}\u{0}",
    ] {
      let stream = Array(between.utf8) + pictures.flatMap { $0 + Array(between.utf8) }
      #expect(found(stream) { _ in 50 }.0 == pictures)
      // A byte of a marker, and a marker that begins no picture.
      let odd = pictures.flatMap { picture -> [UInt8] in [0xFF, 0xFF, 0xD9, 0xFF, 0xD8, 0x00, 0xFF] + picture
      }
      #expect(found(odd) { _ in 50 }.0 == pictures)
    }
  }

  /// Without end markers pictures end where the next one, or the header of its part, begins; all of them can be decoded.
  @Test func withoutEndMarkers() throws {
    let header = Array("\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n".utf8)
    let cut = pictures.map { Array($0.dropLast(2)) }
    #expect(found(cut.flatMap { $0 }) { _ in 61 }.0 == cut)
    let parts = found(cut.flatMap { header + $0 }) { _ in 61 }.0
    #expect(parts == cut)
    for (part, whole) in zip(parts, pictures) {
      #expect(try Picture(data: part, name: "x") == Picture(data: whole, name: "x"))
    }
  }

  /// USB cameras leave the Huffman tables out, which are then the usual ones.
  @Test func withoutHuffman() throws {
    let bare = pictures.map(withoutHuffmanTables)
    #expect(zip(bare, pictures).allSatisfy { $0.count < $1.count - 300 })
    #expect(found(bare.flatMap { $0 }) { _ in 61 }.0 == bare)
    for (part, whole) in zip(bare, pictures) {
      #expect(try Picture(data: part, name: "x") == Picture(data: whole, name: "x"))
    }
  }

  /// What ffmpeg wrote (Tests/TestSupport/Fixtures/streams/make.sh), three frames each.
  private static let written = [
    "mjpeg", "mpjpeg", "image2pipe-444", "mjpeg-422", "mjpeg-slices", "mjpeg-usual-tables", "mjpeg-worst",
  ]

  private static func written(_ name: String) throws -> [UInt8] {
    try TestSupport.bytes(of: Fixtures.path("streams/" + name))
  }

  @Test(arguments: written) func writtenByFFmpeg(name: String) throws {
    let stream = try Self.written(name)
    for piece in [1, 7, 1000, 1 << 20] {
      let (frames, broken) = found(stream) { _ in piece }
      #expect(frames.count == 3 && broken == 0, "pieces of \(piece)")
      if name != "mpjpeg" { #expect(frames.joined().elementsEqual(stream)) }
      for frame in frames {
        let picture = try Picture(data: frame, name: name)
        #expect(picture.width == 64 && picture.height == 48)
      }
    }
    let frames = found(stream) { _ in 1 << 20 }.0
    let header = Array(stream.prefix(name == "mpjpeg" ? stream.count / 3 : 0).prefix { $0 != 0xFF })
    if name == "mjpeg-usual-tables" {
      for frame in frames {
        #expect(
          try Picture(data: withoutHuffmanTables(frame), name: name) == Picture(data: frame, name: name))
      }
    }
    // Cut anywhere: the next whole frame is found.
    for cut in 0..<frames[0].count {
      let stream = header + Array(frames[0][..<cut]) + header + frames[1] + header + frames[2]
      let (rest, _) = found(stream) { _ in 700 }
      let isFound = rest.suffix(2) == frames[1...]
      #expect(isFound, "cut at \(cut)")
    }
  }

  /// rpicam-vid hands YUV 4:2:0 to libjpeg with its defaults and writes the files one behind the other, without anything
  /// between (raspberrypi/rpicam-apps, encoder/mjpeg_encoder.cpp): so are those that this suite draws.
  @Test func asRpicamVidWrites() {
    for picture in pictures {
      var marks: [UInt8] = []
      var position = 2
      while position + 3 < picture.count, marks.last != 0xDA {
        #expect(picture[position] == 0xFF)
        marks.append(picture[position + 1])
        if picture[position + 1] == 0xC0 {
          // The samples of each component: 2 x 2, 1 x 1, 1 x 1.
          #expect([11, 14, 17].map { picture[position + $0] } == [0x22, 0x11, 0x11])
        }
        position += 2 + Int(picture[position + 2]) << 8 + Int(picture[position + 3])
      }
      #expect(marks == [0xE0, 0xDB, 0xDB, 0xC0, 0xC4, 0xC4, 0xC4, 0xC4, 0xDA])
    }
  }

  /// A thumbnail does not end the picture that it stands in.
  @Test func thumbnails() {
    let thumbnail = pictures[0]
    let mark = Array("Exif\0\0".utf8)
    let length = mark.count + thumbnail.count + 2
    var whole = Array(pictures[1].prefix(2))
    whole += [0xFF, 0xE1, UInt8(length >> 8), UInt8(length & 255)]
    whole += mark + thumbnail
    whole += pictures[1].dropFirst(2)
    #expect(found(whole + pictures[2]) { _ in 33 }.0 == [whole, pictures[2]])
  }

  /// No stream makes it keep more than a picture and a bit.
  @Test func bounds() {
    let endless = pictures[0].dropLast(2) + [UInt8](repeating: 7, count: 3 << 20)
    let (pictures, broken) = found(
      Array(endless) + self.pictures[1], pieces: { _ in 5000 }, mostBytes: 100_000)
    #expect(pictures == [self.pictures[1]])
    #expect(broken == 1)
    // Beginnings of pictures, each in the segment of the one before.
    let beginning: [UInt8] = [0xFF, 0xD8, 0xFF, 0xE0, 0xFF, 0xF0]
    let nested = (0..<200_000).map { beginning[$0 % 6] }
    let start = ContinuousClock.now
    // The first may be taken for their end, the next may not.
    let last = found(nested + self.pictures[1] + self.pictures[2], pieces: { _ in 5000 }).0.last
    let isFound = last == self.pictures[2]
    #expect(isFound)
    #expect(ContinuousClock.now - start < .seconds(10))
  }

  /// Streams of pictures of which one is damaged: the next whole one is always found.
  @Test func mutatedStreams() throws {
    let pictures =
      try pictures + pictures.map(withoutHuffmanTables)
      + Self.written.flatMap { found(try Self.written($0)) { _ in 1 << 20 }.0 }
    var random = SplitMix64(seed: 21)
    func pick() -> [UInt8] { pictures[Int.random(in: pictures.indices, using: &random)] }
    var decoded = 0
    for number in 0..<10_000 {
      let (first, next, last) = (pick(), pick(), pick())
      var damaged = pick()
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        guard damaged.count > 8 else { break }
        let place = Int.random(in: 0..<damaged.count - 4, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: damaged[place] = UInt8.random(in: 0...255, using: &random)
        case 1: damaged.removeSubrange(place...)
        case 2:
          damaged.removeSubrange(place..<min(damaged.count, place + Int.random(in: 1...600, using: &random)))
        case 3:
          damaged.insert(
            contentsOf: (0..<30).map { _ in UInt8.random(in: 0...255, using: &random) }, at: place)
        // Markers, where they do not belong.
        case 4:
          damaged.replaceSubrange(
            place..<place + 2, with: [0xFF, [0xD8, 0xD9, 0xDA, 0xC4, 0xE1][number % 5]])
        default: damaged.insert(contentsOf: [0xFF, 0xD8, 0xFF, 0xE0, 0x7F, 0xFF], at: place)
        }
      }
      let stream = first + damaged + next + last
      let (all, _) = found(stream) { _ in Int.random(in: 1...900, using: &random) }
      // Kept out of the messages, which would be megabytes.
      let isFound = all.first == first && all.suffix(2) == [next, last]
      #expect(isFound, "stream \(number)")
      // What is found in the damaged part is a picture or an error.
      for part in all.dropFirst().dropLast(2) where (try? Picture(data: part, name: "x")) != nil {
        decoded += 1
      }
    }
    #expect(decoded > 0)
  }
}
