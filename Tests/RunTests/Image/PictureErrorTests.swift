import Foundation
import TestSupport
import Testing
import VL2Run

/// Everything that is not a good picture ends in one line and the right exit status.
struct PictureErrorTests {
  /// The error with which decoding ends.
  private func failure(_ data: [UInt8], name: String = "x.jpg") -> PictureError? {
    pictureError { _ = try Picture(data: data, name: name) }
  }

  private func failure(path: String) -> PictureError? { pictureError { _ = try Picture(contentsOf: path) } }

  @Test func whatCannotBeReadIsNamed() throws {
    try withTemporaryFolder { folder in
      let missing = try #require(failure(path: folder + "/none.jpg"))
      #expect(missing.kind == .noInput)
      #expect(
        missing.description
          == "\(folder)/none.jpg: no such file; give the path of a JPEG, PNG or WebP picture")

      let directory = try #require(failure(path: folder))
      #expect(directory.kind == .noInput)
      #expect(directory.description.contains("folder"))

      try write("text".utf8, to: folder + "/file")
      let below = try #require(failure(path: folder + "/file/x.jpg"))
      #expect(below.kind == .noInput)
    }
  }

  @Test(.enabled(if: geteuid() != 0, "root may read everything")) func whatMayNotBeRead() throws {
    try withTemporaryFolder { folder in
      try write("text".utf8, to: folder + "/file")
      chmod(folder + "/file", 0)
      let unreadable = try #require(failure(path: folder + "/file"))
      #expect(unreadable.kind == .noInput)
      #expect(unreadable.description.contains("permission denied"))
    }
  }

  @Test func anEmptyFileIsBadData() throws {
    try withTemporaryFolder { folder in
      try write([], to: folder + "/empty.png")
      let error = try #require(failure(path: folder + "/empty.png"))
      #expect(error == .empty(name: folder + "/empty.png"))
      #expect(error.kind == .badData)
    }
  }

  @Test func otherFormatsAreNamed() throws {
    let beginnings: [(String, [UInt8])] = [
      ("GIF", Array("GIF89a".utf8)),
      ("HEIC", [0, 0, 0, 24] + Array("ftypheic".utf8)), ("AVIF", [0, 0, 0, 24] + Array("ftypavif".utf8)),
      ("BMP", Array("BM".utf8) + [9, 9, 9, 0, 0, 0, 0, 0]),
      ("TIFF", [0x49, 0x49, 42, 0, 8, 0, 0, 0]), ("TIFF", [0x4D, 0x4D, 0, 42, 0, 0, 0, 8]),
      ("JPEG XL", [0xFF, 0x0A, 1, 2]), ("JPEG 2000", [0xFF, 0x4F, 0xFF, 0x51]),
      ("Photoshop", Array("8BPS".utf8)), ("SVG", Array("<svg/>".utf8)),
    ]
    for (name, bytes) in beginnings {
      for data in [bytes, bytes + [UInt8](repeating: 7, count: 1000)] {
        let error = try #require(failure(data))
        #expect(error.kind == .badData)
        #expect(error.description.contains(name) && error.description.contains("convert it to JPEG or PNG"))
      }
    }
    for (name, way, bytes) in [
      ("MP4", "ffmpeg -i FILE -frames:v 1", [0, 0, 0, 24] + Array("ftypisom".utf8)),
      ("a video (Matroska or WebM)", "ffmpeg -i FILE -frames:v 1", [0x1A, 0x45, 0xDF, 0xA3]),
      (
        "a multipart stream", "ffmpeg -i FILE -frames:v 1",
        Array("\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n".utf8) + [0xFF, 0xD8]
      ),
      ("a PDF file", "pdftoppm -png FILE page", Array("%PDF-1.7".utf8)),
      ("a web page", "password", try pictureFixture("login-page.jpg")),
      ("a JSON text", "read it", Array("{\"error\": 7}".utf8)),
      ("Git LFS pointer", "git lfs pull", Array("version https://git-lfs.github.com/spec/v1\n".utf8)),
      ("a safetensors file", "give a JPEG", [9, 0, 0, 0, 0, 0, 0, 0] + Array("{\"a\": 1}".utf8)),
    ] as [(String, String, [UInt8])] {
      let error = try #require(failure(bytes))
      #expect(error.kind == .badData)
      #expect(error.problem.contains(name) && error.hint.text().contains(way), "\(error)")
      try withTemporaryFolder { folder in
        try write(bytes, to: folder + "/x.jpg")
        #expect(failure(path: folder + "/x.jpg")?.problem == folder + "/" + error.problem)
      }
    }
    for data in [[0], Array("What is in the picture?".utf8), [UInt8](repeating: 0, count: 4096), [0xFF]] {
      let error = try #require(failure(data))
      #expect(error == .unsupportedFormat(name: "x.jpg", format: nil))
      #expect(error.kind == .badData)
    }
  }

  /// A device never ends; reading has to stop at its first bytes.
  @Test func aFileThatIsNoPictureIsNotReadToItsEnd() throws {
    let error = try #require(failure(path: "/dev/zero"))
    #expect(error == .unsupportedFormat(name: "/dev/zero", format: nil))
  }

  @Test func everyBeginningOfAPictureIsRefused() throws {
    for file in [
      "420.jpg", "420-progressive.jpg", "exif-thumbnail.jpg", "restart.jpg", "grey8.png",
      "palette4-trns.png", "rgb8-interlaced.png", "exif-after-data.png",
    ] {
      let whole = try pictureFixture(file)
      for length in 0..<whole.count {
        // The last two bytes of a JPEG file are its end marker, without which it is whole all the same.
        if file.hasSuffix(".jpg"), length >= whole.count - 2 { continue }
        let error = failure(Array(whole[..<length]), name: file)
        #expect(error?.kind == .badData, "\(file), \(length) of \(whole.count) bytes")
        if length >= 100 {
          #expect(
            error?.description.contains("cut short") == true, "\(file), \(length) bytes: \(error as Any)")
        }
      }
    }
  }

  @Test func everyChangedByteOfAPNGIsNoticed() throws {
    for file in ["rgb8.png", "palette2-trns.png", "text.png", "exif6.png"] {
      let good = try pictureFixture(file)
      for position in good.indices {
        var data = good
        data[position] ^= 0x10
        #expect(failure(data, name: file)?.kind == .badData, "\(file), byte \(position)")
      }
    }
  }

  /// A PNG's header, from its width and height on, with the checksum mended.
  private func png(width: UInt32, height: UInt32) throws -> [UInt8] {
    var data = try pictureFixture("rgb8.png")
    for (offset, value) in [(16, width), (20, height)] {
      for byte in 0..<4 { data[offset + byte] = UInt8(truncatingIfNeeded: value >> (24 - 8 * byte)) }
    }
    var checksum: UInt32 = 0xFFFF_FFFF
    for byte in data[12..<29] {
      checksum ^= UInt32(byte)
      for _ in 0..<8 { checksum = checksum >> 1 ^ (checksum & 1) * 0xEDB8_8320 }
    }
    for byte in 0..<4 { data[29 + byte] = UInt8(truncatingIfNeeded: ~checksum >> (24 - 8 * byte)) }
    return data
  }

  /// Callers may want fewer pixels than can be decoded. A file that is cut short shows that nothing is decoded.
  @Test(arguments: ["wide.jpg", "small.png"]) func fewerPixels(name: String) throws {
    let data = try bytes(of: Fixtures.path("golden/images/" + name))
    let picture = try Picture(data: data, name: name)
    let count = picture.width * picture.height
    #expect(try Picture(data: data, name: name, mostPixels: count) == picture)
    let error = pictureError {
      _ = try Picture(data: Array(data.prefix(data.count * 3 / 4)), name: name, mostPixels: count - 1)
    }
    #expect(
      error
        == .tooManyPixels(name: name, width: picture.width, height: picture.height, limit: count - 1))
    #expect(error?.problem.hasSuffix("over the limit of \(count - 1)") == true)
    let million = PictureError.tooManyPixels(name: name, width: 2000, height: 2000, limit: 3_000_000)
    #expect(million.problem.hasSuffix("over the limit of 3 megapixels"))
    // More than can be decoded are not to be had.
    #expect(
      try pictureError {
        _ = try Picture(data: png(width: 10_001, height: 10_000), name: "x", mostPixels: .max)
      }
        == .tooManyPixels(name: "x", width: 10_001, height: 10_000, limit: Picture.maximumPixels))
  }

  @Test func morePixelsThanTheLimitAreRefusedBeforeDecoding() throws {
    #expect(try failure(png(width: 37, height: 29)) == nil)
    for (width, height) in [(10_001, 10_000), (100_000_001, 1), (0x7FFF_FFFF, 0x7FFF_FFFF)] {
      let error = try #require(try failure(png(width: UInt32(width), height: UInt32(height))))
      #expect(
        error == .tooManyPixels(name: "x.jpg", width: width, height: height, limit: Picture.maximumPixels))
      #expect(error.kind == .badData)
      #expect(error.description.contains("\(width) x \(height)"))
      #expect(error.description.contains("100 megapixels"))
    }
    // Exactly the limit: only its data are missing.
    #expect(try failure(png(width: 10_000, height: 10_000)) == .cutShort(name: "x.jpg", format: "PNG"))
    #expect(try failure(png(width: 0, height: 5))?.kind == .badData)

    var jpeg = try pictureFixture("420.jpg")
    let frame = try #require((0..<jpeg.count - 1).first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC0 })
    jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0xDC, 0xFF, 0xDC])
    #expect(
      failure(jpeg)
        == .tooManyPixels(name: "x.jpg", width: 65_500, height: 65_500, limit: Picture.maximumPixels))
    jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0, 0, 0, 9])
    #expect(failure(jpeg)?.kind == .badData)
  }

  @Test func aJPEGWithTooManyScansIsRefused() throws {
    let data = try pictureFixture("420-progressive.jpg")
    let scans = (0..<data.count - 1).filter { data[$0] == 0xFF && data[$0 + 1] == 0xDA }
    let last = try #require(scans.last)
    let repeated =
      data[..<last] + Array(repeating: data[last..<data.count - 2], count: 200).joined() + [0xFF, 0xD9]
    let error = try #require(failure(Array(repeated)))
    #expect(error.kind == .badData)
    #expect(error.description.contains("scans"))
  }

  /// The picture's data end, but the end of the picture follows all the same.
  @Test func missingDataBeforeTheEndAreNoticed() throws {
    let data = try pictureFixture("444.jpg")
    let cut = Array(data[..<(data.count / 2)]) + [0xFF, 0xD9]
    #expect(failure(cut) == lostBytes)
    #expect(failure(try pictureFixture("rst-lost-30-bytes.jpg")) == lostBytes)
  }

  private let lostBytes = PictureError.damaged(
    name: "x.jpg", format: "JPEG", reason: "bytes of the picture are missing")

  /// Most losses leave data that could be another picture, and none that could be told from what cameras write.
  @Test func lostBytesInAScanAreNoticed() throws {
    let whole = try pictureFixture("restart.jpg")
    let scan = try #require((0..<whole.count - 1).first { whole[$0] == 0xFF && whole[$0 + 1] == 0xDA })
    let starts = Array(stride(from: scan + 14, to: whole.count - 40, by: 7))
    let noticed = starts.count { start in
      var data = whole
      data.removeSubrange(start..<start + 30)
      return failure(data) == lostBytes
    }
    #expect(noticed * 4 > starts.count, "\(noticed) of \(starts.count)")
  }

  /// Some cameras leave bytes between the data and the marker that follows; the picture is whole.
  @Test func bytesBeforeAMarkerDoNotCount() throws {
    let whole = try pictureFixture("restart.jpg")
    let markers = (0..<whole.count - 1).filter {
      whole[$0] == 0xFF && (0xD0...0xD9).contains(whole[$0 + 1]) && whole[$0 + 1] != 0xD8
    }
    #expect(markers.count == 4)
    for marker in markers {
      let padded = whole[..<marker] + [0, 1, 2, 3, 4, 5] + whole[marker...]
      #expect(
        try Picture(data: Array(padded), name: "x.jpg") == Picture(data: whole, name: "x.jpg"), "\(marker)")
    }
  }

  /// A progressive picture that ends between two scans looks whole to a decoder.
  @Test func missingScansAreNoticed() throws {
    for file in ["420-progressive.jpg", "grey-progressive.jpg"] {
      let whole = try pictureFixture(file)
      let scans = (0..<whole.count - 1).filter { whole[$0] == 0xFF && whole[$0 + 1] == 0xDA }
      for scan in scans.dropFirst() {
        // Tables for the scan may stand before it.
        let tables = whole[..<scan].indices.last {
          whole[$0] == 0xFF && [0xC4, 0xDA].contains(whole[$0 + 1])
        }
        let end = tables.flatMap { whole[$0 + 1] == 0xC4 ? $0 : nil } ?? scan
        #expect(
          failure(Array(whole[..<end])) == .cutShort(name: "x.jpg", format: "JPEG"), "\(file), \(end)")
      }
    }
  }

  /// JPEG of other kinds than TurboJPEG decodes is named, before anything else is said of it.
  @Test func otherKindsOfJPEGAreNamed() throws {
    let whole = try pictureFixture("444.jpg")
    let frame = try #require((0..<whole.count - 1).first { whole[$0] == 0xFF && whole[$0 + 1] == 0xC0 })
    for (offset, value, name) in [
      (1, 0xC3, "lossless JPEG"), (1, 0xC7, "lossless JPEG"), (1, 0xCB, "lossless JPEG"),
      (1, 0xC5, "hierarchical JPEG"), (4, 12, "12-bit JPEG"), (4, 16, "16-bit JPEG"),
    ] {
      var data = whole
      data[frame + offset] = UInt8(value)
      let error = try #require(failure(data))
      #expect(error == .unsupportedCoding(name: "x.jpg", coding: name))
      #expect(error.description.contains("ffmpeg"))
    }
  }

  @Test func messagesStayOnOneLine() throws {
    let error = try #require(failure([1, 2, 3], name: "a\nb\u{1B}[31m\u{85}.jpg"))
    #expect(error.description.hasPrefix("a b [31m .jpg: "))
  }

  @Test func randomlyChangedFilesNeverCrash() throws {
    var generator = SplitMix64(seed: 11)
    let files = try [
      "420.jpg", "420-progressive.jpg", "cmyk.jpg", "restart.jpg", "exif6.jpg", "h3.jpg", "grey8.png",
      "grey16-interlaced.png", "palette4-trns.png", "rgba8.png", "text.png", "exif6.png",
    ].map { ($0, try pictureFixture($0)) }
    var decoded = 0
    var refused = 0
    for _ in 0..<2000 {
      var (file, data) = files[Int.random(in: 0..<files.count, using: &generator)]
      for _ in 0..<Int.random(in: 1...4, using: &generator) where !data.isEmpty {
        let position = Int.random(in: 0..<data.count, using: &generator)
        let end = min(data.count, position + Int.random(in: 1...40, using: &generator))
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: data.removeSubrange(position..<end)
        case 1: data.insert(contentsOf: data[position..<end], at: position)
        case 2: data = Array(data[...position])
        case 3: data[position] = 0xFF
        default: data[position] ^= 1 << Int.random(in: 0..<8, using: &generator)
        }
      }
      do {
        let picture = try Picture(data: data, name: file)
        #expect(picture.pixels.count == picture.width * picture.height * 3)
        decoded += 1
      } catch let error as PictureError {
        #expect(error.kind == .badData, "\(error)")
        #expect(!error.description.contains("\n"))
        refused += 1
      }
    }
    #expect(decoded > 50 && refused > 1000)
  }
}
