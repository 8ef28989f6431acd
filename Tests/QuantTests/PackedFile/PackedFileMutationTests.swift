import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// Files with random damage are read, or refused with one line; never more.
@Suite struct PackedFileMutationTests {
  private static let pieces = [
    "-", "0", "9", "99999999999999999999", "9223372036854775807", "-9223372036854775808", "null", "true", "[",
    "]",
    "{", "}", "\"", "\\", "\\ud800", ",", ":", "1e9", "1.5", "{}", "[]", "plain", "q4", "f32", "zstd",
    "\u{0}", "é",
  ]

  @Test(arguments: [PackedSection.Compression.never, .whereUseful])
  func randomDamage(compression: PackedSection.Compression) throws {
    try withTemporaryFolder { folder in
      let path = folder + "/model.vl2q"
      try SyntheticModel.write(path, compression: compression)
      let good = try PackedParts(path: path)
      let descriptor = open(path, O_RDWR)
      #expect(descriptor >= 0)
      defer { close(descriptor) }
      var random = SplitMix64(seed: compression == .never ? 1 : 2)
      var (opened, refused) = (0, 0)
      for round in 0..<5000 {
        var manifest = good.manifest
        for _ in 0..<Int.random(in: 1...3, using: &random) { Self.mutate(&manifest, &random) }
        var parts = PackedParts(body: good.body[..<64] + [], manifest: manifest)
        var head = good.head()
        if round % 2 == 0 {
          head = parts.head(
            manifestOffset: UInt64(good.body.count), fileLength: UInt64(good.body.count + manifest.count))
        }
        if random.next() % 8 == 0 {
          head[Int.random(in: 0..<60, using: &random)] = UInt8(truncatingIfNeeded: random.next())
          if round % 2 == 0 { head.replaceSubrange(60..<64, with: PackedParts.checksum(head)) }
        }
        parts.body = head
        // Weights too, behind the checksums' back.
        let place = Int.random(in: 65536..<good.body.count, using: &random)
        var byte = [UInt8(truncatingIfNeeded: random.next())]
        pwrite(descriptor, &byte, 1, off_t(place))
        pwrite(descriptor, parts.body, 64, 0)
        pwrite(descriptor, manifest, manifest.count, off_t(good.body.count))
        ftruncate(descriptor, off_t(good.body.count + manifest.count))
        do {
          let file = try PackedFile(path: path)
          opened += 1
          for section in file.manifest.sections {
            _ = try file.sectionBytes(section.name)
            for tensor in section.tensors {
              let (rows, columns) = (tensor.shape[0], tensor.shape.dropFirst().reduce(1, *))
              if tensor.code == .plain {
                _ = try file.plain(tensor.name, count: rows * columns)
              } else {
                _ = try file.matrix(tensor.name, rows: rows, columns: columns)
              }
            }
          }
          if opened % 10 == 0 { try file.verify() }
        } catch let error as any ReportableError {
          refused += 1
          #expect(error.description.hasPrefix(path) && !error.description.contains("\n"))
        }
        byte = [good.body[place]]
        pwrite(descriptor, &byte, 1, off_t(place))
      }
      // The damage is neither always noticed at once nor never.
      #expect(opened > 20 && refused > 4000, "\(opened) opened, \(refused) refused")
    }
  }

  private static func mutate(_ text: inout [UInt8], _ random: inout SplitMix64) {
    func place() -> Int { Int.random(in: 0..<text.count, using: &random) }
    func stretch() -> Range<Int> {
      let start = place()
      return start..<min(text.count, start + Int.random(in: 1...40, using: &random))
    }
    switch random.next() % 6 {
    case 0: text[place()] = UInt8(truncatingIfNeeded: random.next())
    case 1:
      // A digit, wherever one is near.
      let start = place()
      if let digit = text[start...].firstIndex(where: { (0x30...0x39).contains($0) }) {
        text[digit] = 0x30 + UInt8(random.next() % 10)
      }
    case 2: text.removeSubrange(stretch())
    case 3: text.insert(contentsOf: text[stretch()], at: place())
    case 4: text.insert(contentsOf: Array((pieces.randomElement(using: &random) ?? "").utf8), at: place())
    default:
      let other = Array(text[stretch()])
      text.replaceSubrange(stretch(), with: other)
    }
    if text.isEmpty { text = [0x20] }
  }
}
