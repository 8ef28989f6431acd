import ArgumentParser
import Dispatch
import Glibc
import VL2Base

/// How the package's programs run.
public enum Program {
  /// What the program calls itself in messages: the last part of its path.
  static let name = (CommandLine.arguments.first ?? "").split(separator: "/").last.map(String.init) ?? "vl2"

  /// Runs the command that the arguments name, and ends the program. An error becomes one line on standard error and an
  /// exit status of sysexits(3); a signal that stopped the work ends the program as that signal does.
  public static func run<Root: ParsableCommand>(_: Root.Type) -> Never {
    do {
      let words = try CommandWords.ready(
        Array(CommandLine.arguments.dropFirst()), commands: commands(of: Root.self))
      var command = try Root.parseAsRoot(words)
      try DescriptorLimit.checkRoom(for: 8)
      // Before anything is waited for: what is refused a thread then waits for ever.
      try SystemThread.checkRoom(for: 2 * Processors.system.allowed.count + 8)
      if let command = command as? any AsyncParsableCommand {
        runAsynchronously(command) { end(Root.self, $0) }
      }
      try command.run()
      exit(EXIT_SUCCESS)
    } catch {
      end(Root.self, error)
    }
  }

  private static func runAsynchronously(
    _ command: any AsyncParsableCommand, failed: @escaping (any Error) -> Never
  ) -> Never {
    let handed = HandedOver(command: command, failed: failed)
    Task { await handed.run() }
    dispatchMain()
  }

  /// A command on its way to the task that alone uses it from there on. A type of its own, because Swift 6.0.3 crashes
  /// where a task's closure changes a value of a type that is not known.
  private struct HandedOver: @unchecked Sendable {
    let command: any AsyncParsableCommand
    let failed: (any Error) -> Never

    func run() async -> Never {
      var command = command
      do {
        try await command.run()
        exit(EXIT_SUCCESS)
      } catch {
        failed(error)
      }
    }
  }

  private static func end<Root: ParsableCommand>(_: Root.Type, _ error: any Error) -> Never {
    switch error {
    case let error as any ReportableError:
      Console.tell(error)
      exit(ExitStatus(error.kind).rawValue)
    case let interruption as Interruption: interruption.endProcess()
    default: break
    }
    // The parser's own message takes several lines. Help, versions and plain exit statuses are not messages.
    let message = Root.message(for: error).split(whereSeparator: \.isNewline).joined(separator: " ")
    let status = Root.exitCode(for: error)
    if status == .success || error is ExitCode || message.isEmpty { Root.exit(withError: error) }
    let sentence = message.last == "." ? message.dropLast() : message[...]
    Console.tell("\(sentence); see '\(helpCommand(Root.self))'")
    exit(status.rawValue)
  }

  private static func commands(of root: any ParsableCommand.Type) -> [String: any ParsableCommand.Type] {
    let commands = root.configuration.subcommands.map {
      ($0.configuration.commandName ?? "\($0)".lowercased(), $0)
    }
    return Dictionary(commands, uniquingKeysWith: { first, _ in first })
  }

  /// The command line that prints the help of the command that was asked for.
  private static func helpCommand(_ root: any ParsableCommand.Type) -> String {
    let names = commands(of: root)
    let asked = CommandLine.arguments.dropFirst().first.flatMap { names[$0] == nil ? nil : $0 }
    return [name, asked, "--help"].compactMap { $0 }.joined(separator: " ")
  }
}
