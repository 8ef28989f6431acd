import Foundation
import TestFrames
import Testing
import VL2Frames
import VL2Run

@Suite struct ChangeTests {
  private typealias Light = @Sendable (Double, Double) -> Double

  private let room = DrawnScene()

  private func pattern(_ picture: Picture, leavingOut: [FrameRegion] = []) -> LocalPattern {
    LocalPattern(SmallPicture(picture, leavingOut: leavingOut))
  }

  private func pattern(_ scene: DrawnScene, _ seed: UInt64) -> LocalPattern {
    pattern(scene.picture(seed: seed))
  }

  /// Whether going from one scene to another is a change, with the noise that the second has.
  private func isChange(_ before: DrawnScene, _ now: DrawnScene) throws -> Bool {
    var watch = ChangeWatch()
    let first = pattern(before, 1)
    _ = watch.look(first)
    let isFirst = watch.look(pattern(before, 2))
    watch.answer(first)
    let isSame = !watch.look(pattern(before, 3))
    #expect(isFirst && isSame)
    var changes: [Bool] = []
    for seed in UInt64(4)..<8 { changes.append(watch.look(pattern(now, seed))) }
    // The first is not settled; after that all say the same.
    #expect(Set(changes.dropFirst()).count == 1, "\(changes)")
    return changes[3]
  }

  @Test func lightIsNoChange() throws {
    let lights: [(String, Light)] = [
      ("dusk", { _, _ in 0.25 }), ("night", { _, _ in 0.08 }), ("sun", { _, _ in 1.8 }),
      ("a window", { x, _ in 0.4 + 1.2 * x }), ("a shade", { _, y in 1.3 - 1.1 * y }),
      ("a lamp", { x, y in 0.6 + 1.6 * exp(-((x - 0.7) * (x - 0.7) + (y - 0.3) * (y - 0.3)) / 0.12) }),
    ]
    for (name, light) in lights {
      var lit = room
      lit.light = light
      #expect(try !isChange(room, lit), "\(name)")
      #expect(try !isChange(lit, room), "\(name) goes")
    }
    var warm = room
    warm.lightColor = [1.15, 0.95, 0.7]
    #expect(try !isChange(room, warm))
  }

  @Test func noiseIsNoChange() throws {
    for noise in [0.0, 6, 14] {
      var noisy = room
      noisy.noise = noise
      #expect(try !isChange(room, noisy), "\(noise)")
    }
    var dark = room
    dark.light = { _, _ in 0.05 }
    dark.noise = 8
    #expect(try !isChange(dark, dark))
  }

  @Test func compressionIsNoChange() throws {
    let picture = room.picture(seed: 1)
    let whole = pattern(picture)
    for quality in [95, 75, 50, 30, 15] {
      let compressed = pattern(try Picture(data: picture.jpeg(quality: quality), name: "x"))
      let change = try #require(Change(from: whole, to: compressed))
      #expect(!change.isChange(noise: 0), "quality \(quality): \(change.blocks.max() ?? 0)")
    }
  }

  @Test func objectsAreChanges() throws {
    var person = room
    person.shapes.append(DrawnScene.person)
    #expect(try isChange(room, person))
    #expect(try isChange(person, room))
    for index in room.shapes.indices {
      var less = room
      less.shapes.remove(at: index)
      #expect(try isChange(room, less), "shape \(index) is gone")
      #expect(try isChange(less, room), "shape \(index) comes")
      var moved = room
      moved.shapes[index].x += 0.03
      #expect(try isChange(room, moved), "shape \(index) moves")
      var turned = room
      turned.shapes[index].isRound.toggle()
      #expect(try isChange(room, turned), "shape \(index) is another one")
    }
    // As bright as before, in another colour.
    var green = room
    green.shapes[0].color = [0.2, 0.42, 0.2]
    #expect(try isChange(room, green))
  }

  /// What changes in bad light, with noise and compression, is seen too.
  @Test func objectsInBadLight() throws {
    var dusk = room
    dusk.light = { x, _ in 0.15 + 0.2 * x }
    dusk.noise = 6
    var person = dusk
    person.shapes.append(.init(0.85, 0.55, 0.09, 0.35, [0.9, 0.8, 0.7]))
    #expect(try isChange(dusk, person))
    // The light is switched when somebody comes.
    #expect(try isChange(room, person))
  }

  /// With few things before a plain dark wall most of the picture's pattern is noise, which is not to be taken for what the
  /// camera makes of the things.
  @Test func fewThingsInNoise() throws {
    var dark = DrawnScene(shapes: [DrawnScene.sixShapes[3]])
    (dark.wall, dark.pattern) = (0.02, 0)
    for noise in [2.0, 8, 14] {
      dark.noise = noise
      #expect(try !isChange(dark, dark), "\(noise)")
      var darker = dark
      darker.light = { _, _ in 0.5 }
      #expect(try !isChange(dark, darker), "\(noise), with less light")
    }
    var none = dark
    none.shapes = []
    #expect(try isChange(dark, none))
    #expect(try isChange(none, dark))
  }

  /// A thing alone in a room takes a color like its own: no contrast of the camera's.
  @Test func colorOfOneThing() throws {
    var orange = DrawnScene(shapes: [.init(0.7, 0.6, 0.09, 0.12, [0.9, 0.3, 0.05])])
    (orange.wall, orange.pattern) = (0.75, 0)
    var yellow = orange
    yellow.shapes[0].color = [0.9, 0.68, 0.05]
    #expect(try isChange(orange, yellow))
    #expect(try isChange(yellow, orange))
  }

  /// By night a black thing is hardly another color than what is around it; at noon it is. That is no change.
  @Test func blackThingFromNightToNoon() throws {
    var night = room
    (night.wall, night.pattern) = (0.78, 0.5)
    night.shapes.append(.init(0.62, 0.35, 0.2, 0.3, [0.0008, 0.014, 0.005], isRound: true))
    night.light = { _, _ in 0.05 }
    var noon = night
    noon.light = { _, _ in 1.5 }
    #expect(try !isChange(night, noon))
    #expect(try !isChange(noon, night))
  }

  /// A thing in a corner is seen as well as elsewhere.
  @Test func corners() throws {
    for (x, y) in [(0.005, 0.9), (0.93, 0.91), (0.46, 0.91)] {
      var thing = room
      thing.shapes.append(.init(x, y, 0.06, 0.08, [0.85, 0.4, 0.6]))
      #expect(try isChange(room, thing), "\(x), \(y)")
      #expect(try isChange(thing, room), "\(x), \(y) goes")
    }
  }

  /// A camera with so much noise that its frames are changes to each other settles nevertheless, once that is known.
  @Test func settlesInAnyNoise() throws {
    var noisy = DrawnScene(shapes: [DrawnScene.sixShapes[0]])
    (noisy.wall, noisy.pattern, noisy.noise) = (0.02, 0, 45)
    let first = pattern(noisy, 1)
    #expect(Change(from: first, to: pattern(noisy, 2))?.isChange(noise: 0) == true)
    var watch = ChangeWatch()
    var asked: [UInt64] = []
    for seed in UInt64(1)..<40 {
      let frame = pattern(noisy, seed)
      if watch.look(frame) {
        asked.append(seed)
        watch.answer(frame)
      }
    }
    #expect(asked.count == 1, "\(asked)")
  }

  @Test func smallAndOddPictures() throws {
    for (width, height) in [(1, 1), (3, 200), (160, 120), (161, 97), (2000, 40)] {
      let scene = DrawnScene(width: width, height: height)
      let change = try #require(Change(from: pattern(scene, 1), to: pattern(scene, 2)))
      #expect(!change.isChange(noise: 0), "\(width)x\(height)")
    }
    // Another size is another scene.
    #expect(
      Change(
        from: pattern(DrawnScene(width: 64, height: 64), 1), to: pattern(DrawnScene(width: 64, height: 32), 1)
      ) == nil)
  }

  @Test func leftOut() throws {
    var person = room
    person.shapes.append(DrawnScene.person)
    var lit = room
    lit.light = { _, _ in 0.4 }
    let corner = [FrameRegion(left: 590, top: 370, width: 50, height: 110)]
    let before = pattern(room.picture(seed: 1), leavingOut: corner)
    for scene in [person, lit] {
      let change = Change(from: before, to: pattern(scene.picture(seed: 2), leavingOut: corner))
      #expect(change?.isChange(noise: 0) == false)
    }
    var less = room
    less.shapes.removeLast()
    #expect(
      Change(from: before, to: pattern(less.picture(seed: 2), leavingOut: corner))?.isChange(noise: 0) == true
    )
    #expect(
      room.picture(seed: 1).part(FrameRegion(left: 600, top: 400, width: 100, height: 100))?.width == 40)
    #expect(room.picture(seed: 1).part(FrameRegion(left: 640, top: 0, width: 10, height: 10)) == nil)
    #expect(room.picture(seed: 1).covering(corner).pixels.suffix(3) == [128, 128, 128])
    for (text, region) in [
      ("1,2,3,4", FrameRegion(left: 1, top: 2, width: 3, height: 4)),
      ("1, 2, 3, 4", FrameRegion(left: 1, top: 2, width: 3, height: 4)),
      ("1,2,0,4", nil), ("1,2,3", nil), ("-1,2,3,4", nil), ("1,2,3,99999999", nil), ("a,b,c,d", nil),
    ] as [(String, FrameRegion?)] {
      #expect(FrameRegion(text) == region, "\(text)")
    }
  }

  /// A scene that goes on moving is not settled; a thing that was only passing by is no change.
  @Test func settles() throws {
    var watch = ChangeWatch()
    _ = watch.look(pattern(room, 1))
    let first = pattern(room, 2)
    let isFirst = watch.look(first)
    #expect(isFirst)
    watch.answer(first)
    for step in 0..<8 {
      var passing = room
      passing.shapes.append(.init(0.1 * Double(step), 0.5, 0.1, 0.4, [0.1, 0.1, 0.1]))
      let isChanged = watch.look(pattern(passing, UInt64(10 + step)))
      #expect(!isChanged, "\(step)")
    }
    for seed in UInt64(20)..<24 {
      let isChanged = watch.look(pattern(room, seed))
      #expect(!isChanged)
    }
  }

  @Test func sight() {
    var sight = SightWatch(frozenAfter: 5)
    func look(_ picture: Picture, at seconds: Double) -> SightEvent? {
      sight.look(SmallPicture(picture), at: FrameTime(wall: 0, steady: seconds))
    }
    var covered = room
    covered.light = { _, _ in 0 }
    var events: [SightEvent] = []
    for second in 0..<10 {
      if let event = look(room.picture(seed: UInt64(second)), at: Double(second)) { events.append(event) }
    }
    #expect(events.isEmpty && sight.isSeeing)
    for second in 10..<20 {
      if let event = look(covered.picture(seed: UInt64(second)), at: Double(second)) { events.append(event) }
    }
    #expect(events == [.dark] && !sight.isSeeing)
    // Black to the last bit is dark and not frozen.
    let black = Picture(width: 640, height: 480, pixels: [UInt8](repeating: 3, count: 640 * 480 * 3))
    for second in 20..<40 { if let event = look(black, at: Double(second)) { events.append(event) } }
    #expect(events == [.dark])
    let same = room.picture(seed: 1)
    for second in 40..<60 { if let event = look(same, at: Double(second)) { events.append(event) } }
    #expect(events == [.dark, .back, .frozen(seconds: 5)] && !sight.isSeeing)
    for second in 60..<70 {
      if let event = look(room.picture(seed: UInt64(second)), at: Double(second)) { events.append(event) }
    }
    #expect(events == [.dark, .back, .frozen(seconds: 5), .back] && sight.isSeeing)
    // A dark scene in which something can be seen is none that is covered.
    var night = room
    night.light = { _, _ in 0.02 }
    for second in 70..<80 { #expect(look(night.picture(seed: UInt64(second)), at: Double(second)) == nil) }
  }
}
