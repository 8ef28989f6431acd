import ArgumentParser
import VL2Base
import VL2Console
import VL2Measure

struct Replay: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Replays picked experts under every policy and several budgets.",
    discussion: """
      ROUTES is a file of vl2 trace --routes. The table says, for each number of slots for experts, how often an \
      expert would have been in memory under each policy, and under the best that is possible, which knows the future.
      """)

  @Argument(help: "The recorded routes.", completion: .file())
  var routes: String

  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp("Slots for experts. (default: 10, 25, 50, 75 and 90 % of all experts)", valueName: "n")
  )
  var slots: [Int] = []

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Instead of the recorded routes, random ones of which this share repeats from the token before.",
      valueName: "share"))
  var repeated: Double?

  @Flag(help: "Print one JSON object.")
  var json = false

  func validate() throws {
    if let wrong = slots.first(where: { $0 < 1 }) {
      throw ValidationError("--slots \(wrong): give at least 1.")
    }
    if let repeated, !(0...1).contains(repeated) {
      throw ValidationError("--repeated \(repeated): give a number from 0 to 1.")
    }
  }

  func run() throws {
    let table = try ReplayTable(path: routes, slots: slots.isEmpty ? nil : slots, repeated: repeated)
    Console.write(json ? try JSONOutput.text(table) : Self.text(of: table))
  }

  private static func text(of replay: ReplayTable) -> String {
    var table = TextTable(["slots", "policy", "hits", "missed a token", "guessed"], alignment: "rlrrr")
    for row in replay.rows {
      table.append([
        "\(row.slots)", row.policy, NumberText.percent(row.hitRate),
        NumberText.fixed(row.missedBytesPerToken / 1e6, 1) + " MB", NumberText.percent(row.guessedShare),
      ])
    }
    return "\(replay.tokens) tokens\n\n" + table.text
  }
}
