import ArgumentParser
import Foundation
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
    var text: String
    if json {
      text = try JSONLine.text(table)
    } else {
      text = "\(table.tokens) tokens\n\nslots  policy  hits      missed a token  guessed\n"
      for row in table.rows {
        text += String(
          format: "%5d  %@  %5.1f %%  %8.1f MB      %5.1f %%\n", row.slots,
          row.policy.padding(toLength: 6, withPad: " ", startingAt: 0), 100 * row.hitRate,
          row.missedBytesPerToken / 1e6, 100 * row.guessedShare)
      }
    }
    Console.write(text)
  }
}
