import ArgumentParser
import FoundationEssentials

/// `--threads`.
package struct ThreadOption: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Threads that share the work; results do not depend on it. (default: one per processor)",
      valueName: "n"))
  package var threads: Int?

  package init() {}

  package func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads \(threads): give a number from 1 to 1024.")
    }
  }

  /// The number that was asked for, else one per processor.
  package var count: Int { threads ?? ProcessInfo.processInfo.activeProcessorCount }
}
