import ArgumentParser
import VL2Console
import VL2Measure

/// `vl2 eval --tsv`: a benchmark of the field.
struct YardstickOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A benchmark's questions in VLMEvalKit's tab-separated form, instead of --items.", valueName: "file.tsv"
    ),
    completion: .file(extensions: ["tsv"]))
  var tsv: String?

  @Option(
    help: ArgumentHelp(
      "Which benchmark the --tsv file is, where its name does not begin with it: \(Self.names).",
      valueName: "name"),
    completion: .list(Yardstick.all.map(\.name)))
  var benchmark: String?

  @Flag(help: "With --tsv: go on with the --answers that an earlier run has begun.")
  var resume = false

  private static let names = Yardstick.all.map(\.name).joined(separator: ", ")

  func validate() throws {
    if tsv == nil, benchmark != nil {
      throw ValidationError("--benchmark belongs to --tsv: give a file with it.")
    }
    if tsv == nil, resume { throw ValidationError("--resume belongs to --tsv: give a file with it.") }
    if let benchmark, Yardstick.named(benchmark) == nil {
      throw ValidationError("--benchmark \(benchmark): give one of \(Self.names).")
    }
    if let tsv { _ = try yardstick(of: tsv) }
  }

  /// Which benchmark a file is.
  func yardstick(of file: String) throws -> Yardstick {
    if let benchmark, let named = Yardstick.named(benchmark) { return named }
    if let named = Yardstick.of(file: file) { return named }
    throw ValidationError(
      "--tsv \(file): the name does not say which benchmark this is; give --benchmark, one of \(Self.names).")
  }
}
