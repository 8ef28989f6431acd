import ArgumentParser
import Glibc
import VL2Base
import VL2Console
import VL2Run

/// How pictures are looked at, and how long that may take.
struct TileOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The most tiles, which pictures are cut into, for all pictures of a question; fewer are faster and see less. auto: as many as the model's context has room for.",
      valueName: "n|auto"), completion: .list(["auto"]))
  var maxTiles = "auto"

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Look at as many tiles as let the answer begin within so many seconds on this machine, in place of --max-tiles.",
      valueName: "seconds"))
  var deadline: Double?

  @OptionGroup var transparency: BackgroundOption

  /// Refuses what is no number of tiles.
  static func check(mostTiles: Int?) throws {
    if let mostTiles, !(1...10_000).contains(mostTiles) {
      throw ValidationError("--max-tiles \(mostTiles): give a number from 1.")
    }
  }

  func validate() throws {
    if maxTiles != "auto", !(1...10_000).contains(Int(maxTiles) ?? 0) {
      throw ValidationError("--max-tiles \(maxTiles): give a number from 1, or auto.")
    }
    if let deadline {
      if !(deadline > 0 && deadline.isFinite) {
        throw ValidationError("--deadline \(deadline): give seconds over 0.")
      }
      if maxTiles != "auto" { throw ValidationError("--deadline picks the tiles; leave --max-tiles out.") }
    }
  }

  /// The limit for a question with pictures. For a deadline, measures this machine first if its speed is not known.
  ///
  /// - Parameter memory: how long earlier answers took.
  func limit(_ engine: Engine, _ memory: inout SpeedCache) async throws -> TileLimit {
    if let tiles = Int(maxTiles) { return .tiles(tiles) }
    guard let deadline else { return .context }
    if let speed = memory.speed { return .seconds(deadline, at: speed) }
    let status = StatusLine()
    status.show("measuring this machine once")
    defer { status.clear() }
    let speed = try await engine.measureSpeed()
    memory.speed = speed
    return .seconds(deadline, at: speed)
  }

  /// How long a question will take; nil if nothing is known, or if nobody wants to know.
  func estimate(_ plan: TilePlan, _ memory: SpeedCache) -> String? {
    guard let speed = memory.speed else { return nil }
    let seconds = speed.seconds(plan)
    // Without a deadline, only a person who waits at a terminal wants to know.
    guard deadline != nil || isatty(STDERR_FILENO) == 1 && seconds >= 3 else { return nil }
    let isLate = deadline.map { seconds > $0 } ?? false
    return "about \(NumberText.fixed(seconds, seconds < 10 ? 1 : 0)) s until the answer begins: "
      + "\(plan.newTiles) \(plan.newTiles == 1 ? "tile" : "tiles"), \(plan.newTokens) tokens"
      + (isLate ? ", later than asked for, since it cannot be fewer" : "")
  }
}

extension TilePlan {
  /// What a user should know about pictures that are looked at in fewer tiles than possible; nil if there is
  /// nothing to say.
  ///
  /// - Parameter first: the index of the first picture that the note is about.
  func note(from first: Int = 0) -> String? {
    let tiles = tiles[first...].reduce(0, +)
    let all = unlimitedTiles[first...].reduce(0, +)
    return tiles < all ? "looking at \(tiles) of \(all) tiles, so small print may be missed" : nil
  }

  /// What a user should know of the room for an answer, before anything is computed; nil where there is enough.
  func note(ofRoom maxTokens: Int, _ engine: Engine) -> String? {
    let room = engine.contextLength - promptTokens + 1
    return room < maxTokens
      ? "room for an answer of \(room) tokens, not \(maxTokens): the question takes \(promptTokens) of the context's \(engine.contextLength)"
      : nil
  }
}
