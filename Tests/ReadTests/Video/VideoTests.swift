import TestFrames
import TestSupport
import Testing
import VL2Read
import VL2Run

@Suite struct VideoTests {
  @Test func times() {
    #expect(
      [0, 5, 65.5, 750, 3723, 86_399].map(VideoTime.text) == [
        "0:00", "0:05", "1:05.5", "12:30", "1:02:03", "23:59:59",
      ])
  }

  /// Of a hundred pictures those are chosen at which something comes or goes.
  @Test func choice() throws {
    var choice = FrameChoice(4)
    for second in 0..<100 {
      var scene = DrawnScene(width: 160, height: 120, shapes: [])
      if (23..<31).contains(second) { scene.shapes = [DrawnScene.sixShapes[0]] }
      if second >= 70 { scene.shapes = [DrawnScene.sixShapes[3]] }
      try choice.add(.init(seconds: Double(second), picture: scene.picture(seed: UInt64(second)).jpeg()))
    }
    #expect(choice.chosen().map(\.seconds) == [0, 23, 31, 70])
  }

  /// From one plain picture to another.
  @Test func colours() throws {
    var choice = FrameChoice(2)
    for second in 0..<20 {
      let pixel: [UInt8] = second < 13 ? [200, 30, 30] : [30, 30, 200]
      let pixels = (0..<160 * 120).flatMap { _ in pixel }
      let picture = Picture(width: 160, height: 120, pixels: pixels).jpeg()
      try choice.add(.init(seconds: Double(second), picture: picture))
    }
    #expect(choice.chosen().map(\.seconds) == [0, 13])
  }

  /// Where nothing happens they are spread.
  @Test func stillness() throws {
    var choice = FrameChoice(4)
    let scene = DrawnScene(width: 160, height: 120)
    for second in 0..<100 {
      try choice.add(.init(seconds: Double(second), picture: scene.picture(seed: UInt64(second)).jpeg()))
    }
    let times = choice.chosen().map(\.seconds)
    #expect(times.count == 4 && times[0] == 0)
    for (one, other) in zip(times, times.dropFirst() + [100]) {
      #expect((10...60).contains(other - one), "\(times)")
    }
  }

  @Test func fewerThanWanted() throws {
    var choice = FrameChoice(8)
    for second in 0..<3 {
      let picture = DrawnScene(width: 160, height: 120).picture(seed: 1).jpeg()
      try choice.add(.init(seconds: Double(second), picture: picture))
    }
    #expect(choice.chosen().count == 3)
  }

  /// Each picture stands behind its time.
  @Test func parts() {
    let picture = Picture(width: 1, height: 1, pixels: [0, 0, 0])
    let texts = VideoQuestion.parts([(5, picture), (70, picture)], "What?").map { part -> String in
      if case .text(let text) = part { text } else { "picture" }
    }
    #expect(texts == ["0:05: ", "picture", "\n", "1:10: ", "picture", "\n", "What?"])
  }
}
