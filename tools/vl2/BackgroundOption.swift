import ArgumentParser
import VL2Run

/// What transparent pictures are laid on.
struct BackgroundOption: ParsableArguments {
  @Option(
    name: .customLong("background"),
    help: ArgumentHelp(
      "What transparent pictures are laid on: white, black, a colour as RRGGBB, or none, which drops transparency as the published processor does. (default: white)",
      valueName: "colour"), completion: .list(["white", "black", "none"]), transform: Self.background)
  var chosen: Background?

  var background: Background { chosen ?? .white }

  private static func background(_ text: String) throws -> Background {
    guard let background = Background(text) else {
      throw ValidationError("give white, black, none, or a colour as RRGGBB, for example ffcc00.")
    }
    return background
  }
}
