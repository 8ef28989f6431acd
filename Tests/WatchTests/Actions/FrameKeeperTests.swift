import Foundation
import TestFrames
import TestSupport
import Testing
import VL2Base
import VL2Frames
import VL2Run
import VL2Watch

@Suite struct FrameKeeperTests {
  private let picture = DrawnScene(width: 160, height: 120).picture(seed: 1)

  private func time(_ seconds: Double) -> FrameTime {
    FrameTime(wall: 1_800_000_000 + seconds, steady: seconds)
  }

  private func names(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  private func keeper(_ folder: String, bytes: Int = 1 << 30, age: Double = 1e6) throws -> FrameKeeper {
    var keeping = FrameKeeping(folder: folder)
    (keeping.bytes, keeping.age) = (bytes, age)
    let keeper = FrameKeeper(keeping)
    try keeper.start(camera: "-")
    return keeper
  }

  private func makeOlder(_ path: String, by seconds: Double) throws {
    try FileManager.default.setAttributes([.modificationDate: Date() - seconds], ofItemAtPath: path)
  }

  @Test func keeps() throws {
    try withTemporaryFolder { folder in
      let frames = folder + "/frames"
      let keeper = try keeper(frames)
      try keeper.keep(picture, at: time(0.5), question: 0, name: "gate")
      try keeper.keep(picture, at: time(0.5), question: 1, name: "Tür/../x")
      #expect(
        try names(frames) == [
          "vl2-20270115T080000.500Z-1-gate.jpg", "vl2-20270115T080000.500Z-2-T_r____x.jpg",
        ])
      let kept = try Picture(contentsOf: frames + "/vl2-20270115T080000.500Z-1-gate.jpg")
      #expect(kept.width == 160 && kept.height == 120)
      let mode =
        try FileManager.default.attributesOfItem(
          atPath: frames + "/vl2-20270115T080000.500Z-1-gate.jpg")[.posixPermissions] as? Int
      #expect(mode == 0o600)
    }
  }

  /// There are never more bytes than are wanted, and the newest stay.
  @Test func bytesHold() throws {
    try withTemporaryFolder { folder in
      let one = try picture.jpegData(quality: 85, name: "x").count
      let keeper = try keeper(folder, bytes: 3 * one + one / 2)
      for index in 0..<8 {
        try keeper.keep(picture, at: time(Double(index)), question: 0, name: "a")
        // Files of the same instant are told apart by name; here each is older than the next.
        for (place, name) in try names(folder).enumerated() {
          try makeOlder(folder + "/" + name, by: Double(100 - 10 * place))
        }
        #expect(try names(folder).count == min(index + 1, 3))
      }
      #expect(
        try names(folder) == (5..<8).map { "vl2-20270115T08000\($0).000Z-1-a.jpg" })
      // One that is larger than all of them may be.
      let small = try self.keeper(folder + "/small", bytes: one - 1)
      let error = reported { try small.keep(picture, at: time(0), question: 0, name: "a") }
      #expect(error?.description.contains("file too large") == true, "\(String(describing: error))")
      #expect(try names(folder + "/small").isEmpty)
    }
  }

  /// What is too old goes at the start and with time; what is not ours stays, whatever it is called.
  @Test func ageHolds() throws {
    try withTemporaryFolder { folder in
      let others = [
        "vl2.jpg", "vl2-20270115T080000.500Z-1-gate.png", "vl2-20270115T080000.500Z-1-.jpg",
        "vl2-20270115T080000.500Z-1-a b.jpg", "xvl2-20270115T080000.500Z-1-a.jpg",
        "vl2-20270115T080000.500Z-1-a.jpg.old", "vl2-T.Z--a.jpg", "photo.jpg",
        "vl2-20270115T080000.500Z-1-\(String(repeating: "a", count: 41)).jpg",
      ]
      let old = "vl2-20270115T080000.500Z-1-old.jpg"
      let left = "vl2-20270115T080000.500Z-2-left.jpg.part"
      let new = "vl2-20270115T080000.500Z-3-new.jpg"
      for name in others + [old, left, new] {
        try write([1, 2, 3], to: folder + "/" + name)
        if name != new { try makeOlder(folder + "/" + name, by: 5000) }
      }
      // Neither folders nor links are frames.
      try FileManager.default.createDirectory(
        atPath: folder + "/vl2-20270115T080000.500Z-1-folder.jpg", withIntermediateDirectories: false)
      try FileManager.default.createSymbolicLink(
        atPath: folder + "/vl2-20270115T080000.500Z-1-link.jpg", withDestinationPath: folder + "/photo.jpg")
      let before = Set(try names(folder))
      let keeper = try keeper(folder, bytes: 4, age: 4000)
      #expect(Set(try names(folder)) == before.subtracting([old, left]))
      try makeOlder(folder + "/" + new, by: 5000)
      keeper.tidyNowAndThen()
      #expect(Set(try names(folder)) == before.subtracting([old, left, new]))
    }
  }

  @Test func refusals() throws {
    try withTemporaryFolder { folder in
      let none = reported { _ = try keeper(folder + "/none/frames") }
      #expect(none?.description.contains("no such folder") == true)
      try write([1], to: folder + "/file")
      #expect(reported { _ = try keeper(folder + "/file") } != nil)
      let same = reported {
        try FrameKeeper(FrameKeeping(folder: folder + "/../" + (folder as NSString).lastPathComponent)).start(
          camera: folder)
      }
      #expect(same?.kind == .usage && same?.description.contains("that they come from") == true)
      // The folder goes away, and comes back.
      let frames = folder + "/frames"
      let kept = try keeper(frames)
      try FileManager.default.removeItem(atPath: frames)
      #expect(reported { try kept.keep(picture, at: time(0), question: 0, name: "a") } != nil)
      try FileManager.default.createDirectory(atPath: frames, withIntermediateDirectories: false)
      try kept.keep(picture, at: time(0), question: 0, name: "a")
      #expect(try names(frames).count == 1)
    }
  }
}
