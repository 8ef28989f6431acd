import TestModels
import TestRuntime
import Testing
import VL2Run

/// How many tiles pictures are cut into.
@Suite struct TilePlanTests {
  private func grey(_ width: Int, _ height: Int) -> Picture {
    Picture(width: width, height: height, pixels: [UInt8](repeating: 128, count: width * height * 3))
  }

  private func plan(
    _ pictures: [Picture], _ limit: TileLimit = .context, text: String = "What?", maxTokens: Int = 16
  ) throws -> TilePlan {
    try Reading(
      [.user(text, pictures: pictures)], room: .init(limit: limit, maxTokens: maxTokens),
      model: PackedModels.open("nano-mha", .q4)
    ).plan
  }

  @Test func withinTheContextNothingChanges() throws {
    let two = try plan([grey(210, 210), grey(70, 70)])
    #expect(two.tiles == [10, 1] && two.unlimitedTiles == two.tiles)
    #expect(try plan([grey(210, 210), grey(70, 70), grey(210, 210)]).tiles == [1, 1, 1])
  }

  @Test func limits() throws {
    let pictures = [grey(300, 300), grey(300, 300)]
    #expect(try plan(pictures).tiles == [10, 10])
    var last = 20
    for limit in [20, 19, 12, 11, 6, 5, 3, 2, 1] {
      let plan = try plan(pictures, .tiles(limit))
      #expect(
        plan.total <= max(2, limit) && plan.total <= last && plan.tiles.allSatisfy { $0 >= 1 },
        "\(limit): \(plan)")
      #expect(plan.unlimitedTiles == [10, 10])
      last = plan.total
    }
    #expect(last == 2)
  }

  /// As many tiles as the time allows, and no more.
  @Test func seconds() throws {
    let pictures = [grey(300, 300), grey(300, 300)]
    func plan(_ seconds: Double) throws -> TilePlan {
      try self.plan(pictures, .seconds(seconds, at: .init(tileSeconds: 1, promptTokensPerSecond: 1e9)))
    }
    #expect(try plan(100).tiles == [10, 10])
    for seconds in [19.5, 12, 7, 3.5, 2.5] {
      let timed = try plan(seconds)
      #expect(Double(timed.total) <= seconds)
      #expect(try timed == self.plan(pictures, .tiles(Int(seconds))), "\(seconds)")
    }
    #expect(try plan(0.001).tiles == [1, 1])
  }

  /// The plan is what is done, and its tokens are the prompt's.
  @Test func planIsKept() throws {
    let model = try PackedModels.open("nano-mha", .q4)
    for limit in [1, 4, 7, 100] {
      var question = Question("What?", pictures: [grey(400, 300), grey(100, 300)], maxTokens: 1)
      question.tileLimit = .tiles(limit)
      let planned = try Reading(
        question.turns, room: .init(limit: .tiles(limit), maxTokens: 1), model: model
      ).plan
      let answer = try model.answer(question)
      #expect(
        answer.plan == planned && answer.counts.tiles == planned.total
          && answer.counts.promptTokens == planned.promptTokens)
    }
  }

  /// Pictures whose places would fill the context are looked at in fewer tiles.
  @Test func contextIsRespected() throws {
    let text = String(repeating: "a ", count: 330)
    let pictures = [grey(630, 630), grey(630, 630)]
    let tight = try plan(pictures, text: text, maxTokens: 200)
    #expect(tight.total < tight.unlimitedTiles.reduce(0, +), "\(tight)")
    #expect(tight.promptTokens + 200 <= 1025, "\(tight)")
    // Equal pictures are treated alike, as far as that goes.
    #expect(abs(tight.tiles[0] - tight.tiles[1]) <= 3, "\(tight)")
    // A short answer leaves room for more.
    let roomier = try plan(pictures, text: text, maxTokens: 3)
    #expect(roomier.total > tight.total && roomier.promptTokens + 3 <= 1025, "\(roomier)")
  }

  /// A picture's own limit holds for it, and the question's for the others.
  @Test func ownLimits() throws {
    func plan(_ limit: Int) throws -> TilePlan {
      let parts: [Turn.Part] = [.picture(grey(300, 300), mostTiles: 5), .picture(grey(300, 300))]
      return try Reading(
        [Turn(role: .user, parts: parts)], room: .init(limit: .tiles(limit), maxTokens: 16),
        model: PackedModels.open("nano-mha", .q4)
      ).plan
    }
    #expect(try plan(10).tiles == [5, 10])
    let few = try plan(3)
    #expect(few.tiles[0] == 5 && few.tiles[1] <= 3, "\(few)")
  }

  /// What comes after the last answer is new.
  @Test func whatIsNew() throws {
    let picture = grey(300, 300)
    let plan = try Reading(
      [.user("One?", pictures: [picture]), .assistant("Yes."), .user("Two?", pictures: [picture])],
      room: .init(maxTokens: 16), model: PackedModels.open("nano-mha", .q4)
    ).plan
    #expect(plan.tiles == [10, 10] && plan.newTiles == 10)
    #expect(plan.newTokens < plan.promptTokens * 6 / 10 && plan.newTokens > plan.promptTokens * 4 / 10)
  }
}
