import ArgumentParser

/// The words of a command line, made ready for the parser, which takes whatever begins with a dash for options, text too,
/// prints help wherever it meets an h among them, and of an option that is given twice believes the last.
///
/// - A word with white space is text, however it begins, unless it is an option with its value: `--system=Be brief.`
/// - Help is printed for who asks for it.
/// - An option that is given twice is a list or an error.
struct CommandWords {
  private let table: OptionTable
  private var counts: [Int: Int] = [:]
  /// Options, each with its values.
  private var options: [[String]] = []
  private var positionals: [String] = []
  /// Options and positional words as they came.
  private var all: [[String]] = []

  /// - Parameters:
  ///   - words: those of the command line after the program's name.
  ///   - commands: what the program can do, by name.
  /// - Throws: `ValidationError`.
  static func ready(
    _ words: [String], commands: [String: any ParsableCommand.Type]
  ) throws -> [String] {
    guard let first = words.first else { return words }
    guard let command = commands[first], let table = OptionTable(command) else {
      return try readyWithoutCommand(words, commands: commands)
    }
    var line = CommandWords(table)
    try line.read(words.dropFirst())
    return [first] + line.ready
  }

  /// Words that begin with no command: options of the program itself, `help`, or a mistake.
  private static func readyWithoutCommand(
    _ words: [String], commands: [String: any ParsableCommand.Type]
  ) throws -> [String] {
    // Shells ask for completions in this way.
    if words[0].hasPrefix("---") { return words }
    if words[0] == "help", let asked = words.dropFirst().first(where: { !$0.hasPrefix("-") }),
      asked != "help", commands[asked] == nil
    {
      throw ValidationError("'\(asked)' is no command.")
    }
    if words[0].contains(where: \.isWhitespace) { throw ValidationError("'\(words[0])' is no command.") }
    for word in words { try refuseLetters(word) }
    return words
  }

  private init(_ table: OptionTable) { self.table = table }

  /// What the parser is given. Behind -- it takes no word for an option; other words stay in their order, as messages
  /// about them may name a place.
  private var ready: [String] {
    let isPlain = !positionals.contains { $0.count > 1 && $0.first == "-" }
    return isPlain ? all.flatMap { $0 } : options.flatMap { $0 } + ["--"] + positionals
  }

  private mutating func read(_ given: ArraySlice<String>) throws {
    var rest = given
    while let word = rest.popFirst() {
      if word == "--" {
        positionals += rest
        all.append([word] + rest)
        return
      }
      let name = word.prefix { $0 != "=" }
      if word.first == "-", let index = table.index(name) {
        try count(index, as: name)
        let isWhole = name.count < word.count || !table.options[index].takesValue
        options.append(isWhole ? [word] : withValues(word, table.options[index], &rest))
        all += options.suffix(1)
      } else if word.count < 2 || word.first != "-" || word.contains(where: \.isWhitespace) {
        positionals.append(word)
        all.append([word])
      } else {
        // The parser says that it knows no such option.
        try Self.refuseLetters(word)
        options.append([word])
        all.append([word])
      }
    }
  }

  private mutating func count(_ index: Int, as name: Substring) throws {
    counts[index, default: 0] += 1
    let option = table.options[index]
    if counts[index] == 2, option.takesValue, !option.isList {
      throw ValidationError("\(name) is given twice: give it once.")
    }
  }

  /// An option with the values that it takes from the words after it.
  private func withValues(
    _ name: String, _ option: OptionTable.Option, _ rest: inout ArraySlice<String>
  ) -> [String] {
    var words = [name]
    while let value = rest.first {
      if value.count > 1, value.first == "-" {
        guard option.takesAnyWord || value.contains(where: \.isWhitespace) else { break }
        rest.removeFirst()
        // The parser would look for -h and --help in it too.
        return ["\(name)=\(value)"]
      }
      words.append(value)
      rest.removeFirst()
      if !option.takesSeveralWords { break }
    }
    return words
  }

  /// Refuses `-What?`, which the parser would take for options of one letter, among them -h.
  private static func refuseLetters(_ word: String) throws {
    guard word.count > 2, word.first == "-", word.dropFirst().first != "-", word != "-help",
      word.prefix(while: { $0 != "=" }).count > 2
    else { return }
    throw ValidationError("Unknown option '\(word)': text that begins with - goes after --.")
  }
}
