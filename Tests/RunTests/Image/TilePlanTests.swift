import TestModels
import TestRuntime
import Testing
import VL2Run

@Suite struct TilePlanTests {
  private func grey(_ width: Int, _ height: Int) -> Picture {
    Picture(width: width, height: height, pixels: [UInt8](repeating: 128, count: width * height * 3))
  }

  private func request(_ pictures: [Picture], maxTokens: Int = 16) -> Session.Request {
    Session.Request(turns: [Turn(role: .user, text: "What?")], pictures: pictures, maxTokens: maxTokens)
  }

  @Test func withinTheContextNothingChanges() throws {
    let session = Session(try PackedModels.open("nano-mha", .q4))
    let plan = try session.plan(request([grey(210, 210), grey(70, 70)]))
    #expect(plan.tiles == [10, 1] && plan.unlimitedTiles == plan.tiles)
    #expect(try session.plan(request([grey(210, 210), grey(70, 70), grey(210, 210)])).tiles == [1, 1, 1])
  }

  @Test func limits() throws {
    let session = Session(try PackedModels.open("nano-mha", .q4))
    var asked = request([grey(300, 300), grey(300, 300)])
    #expect(try session.plan(asked).tiles == [10, 10])
    var last = 20
    for limit in [20, 19, 12, 11, 6, 5, 3, 2, 1] {
      asked.tileLimit = .tiles(limit)
      let plan = try session.plan(asked)
      #expect(
        plan.total <= max(2, limit) && plan.total <= last && plan.tiles.allSatisfy { $0 >= 1 },
        "\(limit): \(plan)")
      #expect(plan.unlimitedTiles == [10, 10])
      last = plan.total
    }
    #expect(last == 2)
  }

  /// The plan is what is done, and its tokens are the prompt's.
  @Test func planIsKept() throws {
    let session = Session(try PackedModels.open("nano-mha", .q4))
    for limit in [1, 4, 7, 100] {
      var asked = request([grey(400, 300), grey(100, 300)], maxTokens: 1)
      asked.tileLimit = .tiles(limit)
      let plan = try session.plan(asked)
      let answer = try session.answer(asked)
      #expect(answer.plan == plan && answer.tiles == plan.total && answer.promptTokens == plan.promptTokens)
    }
  }

  /// Pictures whose places would fill the context are looked at in fewer tiles.
  @Test func contextIsRespected() throws {
    let session = Session(try PackedModels.open("nano-mha", .q4))
    let question = String(repeating: "a ", count: 330)
    var asked = Session.Request(
      turns: [Turn(role: .user, text: question)], pictures: [grey(630, 630), grey(630, 630)], maxTokens: 200)
    let plan = try session.plan(asked)
    #expect(plan.total < plan.unlimitedTiles.reduce(0, +), "\(plan)")
    #expect(plan.promptTokens + 200 <= 1025, "\(plan)")
    // Equal pictures are treated alike, as far as that goes.
    #expect(abs(plan.tiles[0] - plan.tiles[1]) <= 3, "\(plan)")
    asked.maxTokens = 3
    // A short answer leaves room for more.
    let roomier = try session.answer(asked).plan
    #expect(roomier.total > plan.total && roomier.promptTokens + 3 <= 1025, "\(roomier)")
  }

  /// Tiles that an earlier answer fixed stay, and a limit is for the other pictures.
  @Test func fixedTiles() throws {
    let session = Session(try PackedModels.open("nano-mha", .q4))
    var asked = request([grey(300, 300), grey(300, 300)])
    asked.fixedTiles = [5]
    asked.tileLimit = .tiles(10)
    #expect(try session.plan(asked).tiles == [5, 10])
    asked.tileLimit = .tiles(3)
    let plan = try session.plan(asked)
    #expect(plan.tiles[0] == 5 && plan.tiles[1] <= 3, "\(plan)")
  }
}
