import ArgumentParser
import FoundationEssentials

/// The options of a command, as the parser knows them.
struct OptionTable {
  /// An option with a value, or a flag.
  struct Option {
    /// With their dashes: `--output`, `-o`.
    var names: [String]
    var takesValue: Bool
    /// Whether it may be given several times, each with a value of its own.
    var isList: Bool
    /// Whether the next word is its value whatever it looks like.
    var takesAnyWord: Bool
    /// Whether all words up to the next option are its values.
    var takesSeveralWords: Bool
  }

  let options: [Option]

  /// nil where the parser says nothing that can be read.
  init?(_ command: any ParsableCommand.Type) {
    guard let dump = try? JSONDecoder().decode(Dump.self, from: Data(command._dumpHelp().utf8)) else {
      return nil
    }
    options = (dump.command.arguments ?? []).filter { $0.kind != "positional" }.map { argument in
      Option(
        names: (argument.names ?? []).map { ($0.kind == "long" ? "--" : "-") + $0.name },
        takesValue: argument.kind == "option", isList: argument.isRepeating,
        takesAnyWord: argument.parsingStrategy == "unconditional",
        takesSeveralWords: argument.parsingStrategy == "upToNextOption")
    }
  }

  /// The place of the option of this name.
  func index(_ name: some StringProtocol) -> Int? { options.firstIndex { $0.names.contains(String(name)) } }

  /// What is used of the parser's description of a command.
  private struct Dump: Decodable {
    struct Command: Decodable { var arguments: [Argument]? }
    struct Argument: Decodable {
      struct Name: Decodable { var kind, name: String }
      var kind: String
      var isRepeating: Bool
      var parsingStrategy: String
      var names: [Name]?
    }
    var command: Command
  }
}
