import TestModels
import TestRuntime
import TestSupport
import Testing
import VL2Base
import VL2Run

/// Tiles that look as they did keep their encoding: what is encoded, what it gives, and what is kept for it.
@Suite struct TileReuseTests {
  /// A model with pictures of six tiles and the whole view: 3 x 2 of 70 pixels.
  private final class Camera {
    let model: Model
    let kept: ReadingCache
    var reuse: TileReuse
    var last: Answer?

    init(_ checkpoint: String = "nano-mha", reuse: TileReuse, limit: Int = 1 << 26) throws {
      model = try PackedModels.open(checkpoint, .q4)
      kept = ReadingCache(limit: limit)
      self.reuse = reuse
    }

    /// - Returns: how many tiles were encoded, and how many kept their encoding.
    @discardableResult
    func look(_ picture: Picture, _ text: String = "What is it?", isCamera: Bool = true) throws -> [Int] {
      var question = Question(text, pictures: [picture], maxTokens: 6)
      question.likeliestTokens = 4
      question.reuse = reuse
      let writer = try AnswerWriter(
        question, turns: question.turns, model: model, kept: kept, owner: .init(isCamera: isCamera))
      try writer.work()
      writer.release()
      let answer = writer.answer()
      last = answer
      return [answer.counts.tiles, answer.counts.reusedTiles]
    }

    /// Whether the last answer is that of a model that has seen nothing before, to the last bit.
    func isAsAlone(_ picture: Picture, _ text: String = "What is it?") throws -> Bool {
      var question = Question(text, pictures: [picture], maxTokens: 6)
      question.likeliestTokens = 4
      let alone = try model.answer(question)
      return alone.tokens == last?.tokens && alone.probabilities == last?.probabilities
    }
  }

  private static let scene: Picture = {
    var random = RandomBits(state: 7)
    return random.picture(width: 210, height: 140)
  }()
  private var scene: Picture { Self.scene }

  /// A square painted into a picture, or its pixels made brighter.
  private func changed(
    _ picture: Picture, _ x: Int, _ y: Int, _ side: Int, to level: UInt8? = nil, by step: Int = 0
  ) -> Picture {
    var pixels = picture.pixels
    for row in y..<y + side {
      for index in (row * picture.width + x) * 3..<(row * picture.width + x + side) * 3 {
        pixels[index] = level ?? UInt8(min(255, max(0, Int(pixels[index]) + step)))
      }
    }
    return Picture(width: picture.width, height: picture.height, pixels: pixels)
  }

  /// Whatever happens in front of the camera, `exact` answers with the bits of `off`.
  @Test(arguments: ["nano-mha", "nano-mla", "nano-sigmoid", "nano-outliers"])
  func exactIsOff(checkpoint: String) throws {
    let camera = try Camera(checkpoint, reuse: .exact)
    var picture = scene
    var random = SplitMix64(seed: 5)
    var reused = 0
    for round in 0..<8 {
      let tiles = try camera.look(picture)
      #expect(try camera.isAsAlone(picture), "\(round)")
      #expect(tiles.reduce(0, +) == 7)
      reused += tiles[1]
      for _ in 0..<Int.random(in: 1...2, using: &random) {
        picture = changed(
          picture, Int.random(in: 0..<200, using: &random), Int.random(in: 0..<130, using: &random),
          Int.random(in: 1...10, using: &random), to: UInt8.random(in: 0...255, using: &random))
      }
    }
    #expect(reused > 14)
  }

  /// The model that ships, on a picture that is cut into four.
  @Test func exactIsOffOfPocket() throws {
    let model = try Model(path: try PackedModels.pocket(), options: RuntimeOptions(threads: 2))
    let kept = ReadingCache(limit: 1 << 26)
    var picture = Picture(
      width: 392, height: 392, pixels: .init(repeating: 200, count: 392 * 392 * 3))
    var reused: [Int] = []
    for (x, y) in [(40, 40), (260, 60), (90, 300), (250, 250)] {
      picture = changed(picture, x, y, 60, to: 30)
      var question = Question("How many squares are there?", pictures: [picture], maxTokens: 8)
      question.likeliestTokens = 4
      let alone = try model.answer(question)
      question.reuse = .exact
      let answer = try model.answer(question, keeping: kept)
      #expect(answer.tokens == alone.tokens && answer.probabilities == alone.probabilities)
      reused.append(answer.counts.reusedTiles)
    }
    #expect(reused == [0, 3, 3, 3])
  }

  /// One tile changes: that one and the whole view are encoded, each of the six in turn.
  @Test(arguments: [TileReuse.exact, .threshold(4)]) func oneTile(reuse: TileReuse) throws {
    let camera = try Camera(reuse: reuse)
    #expect(try camera.look(scene) == [7, 0])
    var picture = scene
    for tile in 0..<6 {
      // A dark and a light square in it: a 50th of the tile.
      for level in [0, 255] as [UInt8] {
        picture = changed(picture, 70 * (tile % 3) + 30, 70 * (tile / 3) + 30, 10, to: level)
        #expect(try camera.look(picture) == [2, 5], "\(tile)")
        #expect(try camera.isAsAlone(picture))
      }
    }
    // Two neighbours at once, at the edge between them; all of it; nothing.
    #expect(try camera.look(changed(picture, 65, 30, 10, to: 40)) == [3, 4])
    #expect(try camera.look(changed(picture, 0, 0, 140, to: 60)) == [5, 2])
    camera.reuse = .off
    #expect(try camera.look(scene) == [7, 0])
  }

  /// What changes less than the threshold is not encoded, and what changes more is; the whole view always is.
  @Test func threshold() throws {
    let camera = try Camera(reuse: .threshold(4))
    let grey = Picture(width: 210, height: 140, pixels: .init(repeating: 100, count: 210 * 140 * 3))
    try camera.look(grey)
    // 3 steps in a block; then 5; noise that is larger in each pixel, but not in a block.
    #expect(try camera.look(changed(grey, 78, 8, 8, by: 3)) == [1, 6])
    #expect(try camera.look(changed(grey, 78, 8, 8, by: 5)) == [2, 5])
    var random = SplitMix64(seed: 3)
    let noisy = Picture(
      width: 210, height: 140, pixels: grey.pixels.map { _ in UInt8.random(in: 94...106, using: &random) })
    try camera.look(grey)
    #expect(try camera.look(noisy) == [1, 6])
    // Exact takes none of these for equal.
    camera.reuse = .exact
    #expect(try camera.look(changed(noisy, 80, 8, 8, by: 1)) == [7, 0])
    #expect(try camera.isAsAlone(changed(noisy, 80, 8, 8, by: 1)))
  }

  /// A picture that grows brighter by one step at a time is encoded again as often as it became brighter by more than the
  /// threshold.
  @Test func driftDoesNotAddUp() throws {
    let camera = try Camera(reuse: .threshold(4))
    var encoded: [Int] = []
    for level in 0..<16 {
      let picture = Picture(
        width: 210, height: 140, pixels: .init(repeating: UInt8(100 + level), count: 210 * 140 * 3))
      encoded.append(try camera.look(picture)[0])
    }
    #expect(encoded == [7, 1, 1, 1, 1, 7, 1, 1, 1, 1, 7, 1, 1, 1, 1, 7])
  }

  /// The largest change of a block's mean, whatever the side leaves over.
  @Test(arguments: [5, 8, 70, 84, 196]) func changes(side: Int) {
    let before = [UInt8](repeating: 100, count: side * side * 3)
    func largest(_ change: (inout [UInt8]) -> Void) -> Double {
      var now = before
      change(&now)
      return TileChange.largest(from: before, to: now, side: side)
    }
    #expect(largest { _ in } == 0)
    // A single colour of one pixel in the last block.
    let rest = side < 8 ? side : 8 + side % 8
    #expect(largest { $0[$0.count - 1] = 90 } == 10 / Double(rest * rest))
    #expect(largest { for index in $0.indices { $0[index] = index % 3 == 1 ? 50 : 100 } } == 50)
    // What goes up and down within a block is noise.
    #expect(largest { for index in $0.indices { $0[index] = index / 3 % 2 == 0 ? 90 : 110 } } < 6)
  }

  /// A picture of one tile is its own whole view.
  @Test(arguments: [TileReuse.exact, .threshold(4)]) func pictureOfOneTile(reuse: TileReuse) throws {
    let camera = try Camera(reuse: reuse)
    let one = Picture(width: 70, height: 70, pixels: .init(repeating: 90, count: 70 * 70 * 3))
    #expect(try camera.look(one) == [1, 0])
    let other = changed(one, 0, 0, 8, by: 1)
    #expect(try camera.look(other) == [1, 0])
    #expect(try camera.isAsAlone(other))
    // The same pixels, under another question.
    #expect(try camera.look(other, "And now?") == [0, 1])
    #expect(try camera.isAsAlone(other, "And now?"))
    // Other grids have other tiles.
    let wide = Picture(width: 140, height: 140, pixels: .init(repeating: 90, count: 140 * 140 * 3))
    #expect(try camera.look(wide) == [5, 0])
    let large = Picture(width: 280, height: 280, pixels: .init(repeating: 90, count: 280 * 280 * 3))
    let tiles = try camera.look(large)
    #expect(try camera.isAsAlone(large))
    #expect(tiles.reduce(0, +) == 10)
  }

  /// Pictures that come in turn, of one size and of several, are compared with what was there last, and each answer is right.
  @Test func picturesInTurn() throws {
    let camera = try Camera(reuse: .exact)
    var random = RandomBits(state: 99)
    let other = random.picture(width: 210, height: 140)
    let (small, high) = (random.picture(width: 70, height: 70), random.picture(width: 140, height: 210))
    for round in 0..<3 {
      for picture in [scene, other, changed(scene, 10, 10, 4, to: 0), small, high] {
        let tiles = try camera.look(picture)
        #expect(try camera.isAsAlone(picture), "\(round)")
        // Of each grid the last is kept, and comes back.
        if round > 0, picture == small || picture == high { #expect(tiles[0] == 0) }
        if picture == other { #expect(tiles == [7, 0]) }
      }
      #expect(camera.kept.keptCounts.pictures == 3)
    }
    // Another size with the same grid.
    let larger = Picture(
      width: 420, height: 280, pixels: (0..<280 * 420 * 3).map { UInt8($0 % 251) })
    #expect(try camera.look(larger) == [7, 0])
    #expect(try camera.isAsAlone(larger))
  }

  /// What was read with a threshold is never taken for what is exactly so, by whoever asks.
  @Test func thresholdStaysApart() throws {
    let camera = try Camera(reuse: .threshold(4))
    try camera.look(scene)
    let near = changed(changed(scene, 20, 20, 20, by: 2), 150, 90, 20, by: -2)
    #expect(try camera.look(near) == [1, 6])
    #expect(try !camera.isAsAlone(near))
    for reuse in [TileReuse.off, .exact] {
      camera.reuse = reuse
      try camera.look(near, isCamera: false)
      #expect(try camera.isAsAlone(near), "\(reuse)")
    }
    // Asked again in the same way, all is there.
    camera.reuse = .threshold(4)
    try camera.look(near)
    #expect(try camera.look(near, "And now?") == [0, 7])
  }

  /// Tiles stay while there is room, are counted, and go with everything else.
  @Test func limits() throws {
    let camera = try Camera(reuse: .exact)
    var random = RandomBits(state: 1)
    // However many pictures come, one is kept, with what was read of it.
    for _ in 0..<5 { try camera.look(random.picture(width: 210, height: 140)) }
    #expect(camera.kept.keptCounts.conversations == 1 && camera.kept.keptCounts.pictures == 1)
    #expect(camera.model.ledger.bytes >= camera.kept.byteCount)
    let all = camera.kept.byteCount
    // Where slots for experts are wanted, the tiles stay, with the rows that belong to them.
    while camera.kept.dropOne(sparingTiles: true) {}
    #expect(camera.kept.keptCounts.conversations == 0 && camera.kept.keptCounts.pictures == 1)
    let tiled = TiledPicture(
      scene, grid: TileGrid(columns: 3, rows: 2), processor: camera.model.config.processor)
    let rows = try camera.model.encode(tiled).byteCount
    #expect(camera.kept.byteCount == rows + tiled.tiles.count)
    while camera.kept.dropOne() {}
    #expect(camera.kept.byteCount == 0 && camera.model.ledger.bytes == 0)

    // Room for a little less: what is kept never takes more, and answers do not depend on it.
    let tight = try Camera(reuse: .exact, limit: all - tiled.tiles.count / 2)
    try tight.look(scene, isCamera: false)
    for _ in 0..<3 {
      let picture = random.picture(width: 210, height: 140)
      try tight.look(picture)
      #expect(try tight.isAsAlone(picture))
      #expect(tight.kept.byteCount <= tight.kept.limit)
    }
    // None at all.
    let none = try Camera(reuse: .exact, limit: 0)
    for _ in 0..<2 { #expect(try none.look(scene) == [7, 0]) }
  }

  /// What cameras left goes first, then the tiles of a camera, then what people left.
  @Test func order() throws {
    let camera = try Camera(reuse: .exact)
    try camera.look(scene, isCamera: false)
    var random = RandomBits(state: 4)
    try camera.look(random.picture(width: 140, height: 210))
    func counts() -> [Int] { [camera.kept.keptCounts.conversations, camera.kept.keptCounts.pictures] }
    #expect(counts() == [2, 2])
    camera.kept.dropOne()
    #expect(counts() == [1, 2])
    camera.kept.dropOne()
    #expect(counts() == [1, 1])
    // The person's are still there.
    #expect(try camera.look(scene, "And now?", isCamera: false) == [0, 7])
  }

  /// A question that gives way to others goes on with what it saw.
  @Test func interruptions() throws {
    struct Interrupt: Error {}
    let camera = try Camera(reuse: .exact)
    try camera.look(scene)
    let picture = changed(scene, 100, 100, 9, to: 3)
    var question = Question("What is it?", pictures: [picture], maxTokens: 6)
    question.reuse = .exact
    let expected = try camera.model.answer(question).tokens
    var random = SplitMix64(seed: 11)
    for _ in 0..<6 {
      let writer = try AnswerWriter(
        question, turns: question.turns, model: camera.model, kept: camera.kept, owner: .init(isCamera: true))
      while true {
        var left = Int.random(in: 1...40, using: &random)
        do {
          try writer.work {
            left -= 1
            if left == 0 { throw Interrupt() }
          }
          break
        } catch is Interrupt {
          writer.release()
          try camera.look(changed(scene, 3, 3, 6, to: UInt8.random(in: 0...255, using: &random)))
        }
      }
      #expect(writer.answer().tokens == expected)
      writer.release()
    }
  }
}
