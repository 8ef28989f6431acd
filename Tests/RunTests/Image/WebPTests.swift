import TestSupport
import Testing
import VL2Run

/// Whether there is a libwebp. `make test` installs it; a machine that only runs tests built elsewhere may have none.
let isWebPInstalled: Bool = {
  guard let data = try? pictureFixture("lossy.webp") else { return false }
  return (try? Picture(data: data, name: "lossy.webp")) != nil
}()

/// What is particular about WebP files; `PictureTests` has their pixels.
@Suite struct WebPTests {
  private static let needsLibrary = ConditionTrait.enabled(
    if: isWebPInstalled, "Debian package libwebp7 is not installed")

  private func failure(_ data: [UInt8], library: String = Picture.webPLibrary) -> PictureError? {
    pictureError { _ = try Picture(webp: data, name: "x.webp", library: library) }
  }

  /// Where there is none, and where it is not what its name says.
  @Test func aMissingLibraryIsNamedWithItsPackage() throws {
    let libraries = ["libnone.so.7", "libm.so.6"] + (isWebPInstalled ? [] : [Picture.webPLibrary])
    for library in libraries {
      let error = try #require(failure(pictureFixture("lossy.webp"), library: library))
      #expect(error.kind == .unavailable)
      #expect(
        error.description
          == "x.webp: reading WebP files needs \(library), which is not installed; install the Debian package "
          + "libwebp7, or convert the picture to JPEG or PNG")
    }
  }

  /// None of its pictures is the one that was meant.
  @Test func animationsAreRefused() throws {
    let error = try #require(failure(pictureFixture("animation.webp")))
    #expect(error == .animated(name: "x.webp", format: "WebP"))
    #expect(error.kind == .badData && error.description.contains("animated WebP"))
  }

  @Test func everyBeginningIsCutShort() throws {
    for file in ["lossy.webp", "lossless.webp", "lossy-alpha.webp", "exif6.webp"] {
      let whole = try pictureFixture(file)
      for length in 0..<whole.count {
        #expect(
          failure(Array(whole[..<length])) == .cutShort(name: "x.webp", format: "WebP"), "\(file), \(length)")
      }
    }
  }

  /// The head says that nothing is missing.
  @Test(needsLibrary) func missingDataAreNoticed() throws {
    for file in ["lossy.webp", "lossless.webp"] {
      let whole = try pictureFixture(file)
      for kept in [20, 30, whole.count / 2, whole.count - 20] {
        var data = Array(whole[..<kept])
        for byte in 0..<4 { data[4 + byte] = UInt8(truncatingIfNeeded: (kept - 8) >> (8 * byte)) }
        let error = failure(data)
        #expect(
          error?.kind == .badData && error?.description.contains("damaged") == true, "\(file), \(kept)")
      }
    }
  }

  /// Decoders take several times the picture's memory; where a small board has not that much, the file is not to blame.
  @Test func onlyBadDataAreCalledDamaged() {
    #expect(Picture.webPError(0, name: "x.webp") == nil)
    #expect(Picture.webPError(1, name: "x.webp") == .outOfMemory(name: "x.webp"))
    for status: Int32 in 2...7 {
      #expect(Picture.webPError(status, name: "x.webp")?.description.contains("damaged") == true, "\(status)")
    }
  }

  /// A lossless file's head; nothing follows it.
  private func head(width: UInt32, height: UInt32) -> [UInt8] {
    let size = (width - 1) | (height - 1) << 14
    var data = Array("RIFF".utf8) + [26, 0, 0, 0] + Array("WEBPVP8L".utf8) + [14, 0, 0, 0, 0x2F]
    for byte in 0..<4 { data.append(UInt8(truncatingIfNeeded: size >> (8 * byte))) }
    return data + [UInt8](repeating: 0, count: 9)
  }

  @Test(needsLibrary) func morePixelsThanTheLimitAreRefusedBeforeDecoding() {
    for (width, height) in [(16_384, 16_384), (10_001, 10_000)] {
      let data = head(width: UInt32(width), height: UInt32(height))
      #expect(
        failure(data)
          == .tooManyPixels(name: "x.webp", width: width, height: height, limit: Picture.maximumPixels))
    }
  }

  @Test(needsLibrary) func fewerPixels() throws {
    let data = try pictureFixture("lossy.webp")
    let picture = try Picture(data: data, name: "x.webp")
    let most = picture.width * picture.height - 1
    #expect(
      pictureError { _ = try Picture(data: data, name: "x.webp", mostPixels: most) }
        == .tooManyPixels(name: "x.webp", width: picture.width, height: picture.height, limit: most))
  }

  @Test(needsLibrary) func randomlyChangedFilesNeverCrash() throws {
    var generator = SplitMix64(seed: 12)
    let files = try [
      "lossy.webp", "lossless.webp", "near-lossless.webp", "lossy-alpha.webp", "exact-alpha.webp",
      "exif5.webp",
      "exif6.webp", "metadata.webp", "animation.webp", "lossless-1x1.webp",
    ].map(pictureFixture)
    var decoded = 0
    var refused = 0
    for _ in 0..<4000 {
      var data = files[Int.random(in: 0..<files.count, using: &generator)]
      for _ in 0..<Int.random(in: 1...4, using: &generator) where !data.isEmpty {
        // Half of the time near the beginning, where sizes and flags are.
        let region = Bool.random(using: &generator) ? data.count : min(data.count, 48)
        let position = Int.random(in: 0..<region, using: &generator)
        let end = min(data.count, position + Int.random(in: 1...40, using: &generator))
        switch Int.random(in: 0..<6, using: &generator) {
        case 0: data.removeSubrange(position..<end)
        case 1: data.insert(contentsOf: data[position..<end], at: position)
        case 2: data[position] = 0xFF
        default: data[position] ^= 1 << Int.random(in: 0..<8, using: &generator)
        }
      }
      do {
        let picture = try Picture(webp: data, name: "x.webp")
        #expect(picture.pixels.count == picture.width * picture.height * 3)
        decoded += 1
      } catch let error as PictureError {
        #expect(error.kind == .badData && !error.description.contains("\n"), "\(error)")
        refused += 1
      }
    }
    #expect(decoded > 500 && refused > 1000)
  }
}
