import ArgumentParser
import VL2Base

/// What a model is called in requests and answers.
struct AliasOption: ParsableArguments {
  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "A name of the model for requests; the first one is what answers say. (default: the file's)",
      valueName: "name"))
  var alias: [String] = []

  func validate() throws {
    for name in alias where name.isEmpty || name.utf8.count > 200 || !UntrustedText.isLine(name) {
      throw ValidationError("--alias: give a name of one line.")
    }
  }
}
