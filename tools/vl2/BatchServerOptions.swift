import ArgumentParser
import VL2Base
import VL2Console
import VL2Serve

/// Which server answers a batch, and how it is asked.
struct BatchServerOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A server that answers in place of a model on this machine: vl2 serve, or nginx before several.",
      valueName: "url"))
  var server: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The most questions that the server has at a time; fewer are sent where it is full. (default: 4)",
      valueName: "n"))
  var concurrency: Int?

  @Option(
    help: ArgumentHelp("A file whose first line is the key that the server wants.", valueName: "file"),
    completion: .file())
  var apiKeyFile: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("The most seconds for a question and its answer. (default: 900)", valueName: "seconds")
  )
  var timeout: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "How often a question is sent again, after growing pauses, where no answer came. (default: 8)",
      valueName: "n"))
  var retries: Int?

  func validate() throws {
    if let concurrency, !(1...Self.mostAtATime).contains(concurrency) {
      throw ValidationError("--concurrency \(concurrency): give a number from 1 to \(Self.mostAtATime).")
    }
    if let timeout, !(timeout >= 0.1 && timeout <= 86_400) {
      throw ValidationError("--timeout \(timeout): give seconds from 0.1 to 86400.")
    }
    if let retries, !(0...1000).contains(retries) {
      throw ValidationError("--retries \(retries): give a number from 0 to 1000.")
    }
    guard let server else { return }
    do {
      _ = try ServerAddress(server)
    } catch let fault as ServerFault {
      throw ValidationError("--server \(fault.line()).")
    }
  }

  private static let mostAtATime = 256

  /// - Throws: `ValidationError` where something is said of a server and there is none.
  func checkUnused() throws {
    let given = [
      ("--concurrency", concurrency != nil), ("--api-key-file", apiKeyFile != nil),
      ("--timeout", timeout != nil),
      ("--retries", retries != nil),
    ]
    if let (name, _) = given.first(where: { $0.1 }) {
      throw ValidationError("\(name) goes with --server URL; give that too, or leave it out.")
    }
  }

  /// How many questions the server has at a time.
  var count: Int { concurrency ?? 4 }

  /// What the command reads.
  var files: [String] { apiKeyFile.map { [$0] } ?? [] }

  /// - Throws: `InputError`, `FileError`.
  func client(_ address: ServerAddress) throws -> BatchServer {
    var patience = Patience()
    if let timeout { patience.seconds = timeout }
    if let retries { patience.retries = retries }
    return BatchServer(
      address, key: try apiKeyFile.flatMap { try KeyFile.keys(at: $0).first }, patience: patience,
      concurrency: count,
      isStopped: { Interruption.isRequested })
  }
}
