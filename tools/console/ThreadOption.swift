import ArgumentParser
import VL2Base

/// `--threads`.
package struct ThreadOption: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Threads that share the work, at most two per processor; results do not depend on it. "
        + "(default: one per processor; where some are slow, answers take one per fast one)",
      valueName: "n"))
  package var threads: Int?

  package init() {}

  package mutating func validate() throws {
    guard let asked = threads else { return }
    guard asked > 0 else { throw ValidationError("--threads \(asked): give a number of at least 1.") }
    // Threads wait for each other at every layer: many more than can run at a time keep the machine from all
    // else.
    let most = 2 * Self.processors
    guard asked > most else { return }
    threads = most
    Console.tell(
      "--threads \(asked): this program may use \(Self.processors) processors; \(most) threads are used")
  }

  /// The number that was asked for, but at most two per processor; else one per processor.
  package var count: Int { threads ?? Self.processors }

  private static var processors: Int { Processors.system.count }
}
