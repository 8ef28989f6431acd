import TestSupport

/// The options of a program's commands, as it describes them itself.
struct OptionLists {
  struct Option {
    var command: String
    /// Without dashes.
    var name: String
    var takesValue: Bool
    var isList: Bool
    /// Whether its value is a file or a folder.
    var namesFile: Bool
  }

  private(set) var options: [Option] = []

  init(_ program: String) throws {
    let dump = try jsonObject(try Tool(program).run(["--experimental-dump-help"]).output)
    let root = dump["command"] as? [String: Any] ?? [:]
    for command in root["subcommands"] as? [[String: Any]] ?? [] {
      for argument in command["arguments"] as? [[String: Any]] ?? [] {
        guard let names = argument["names"] as? [[String: Any]],
          let name = (names.first { $0["kind"] as? String == "long" } ?? names.first)?["name"] as? String
        else { continue }
        let completion = argument["completionKind"] as? [String: Any] ?? [:]
        options.append(
          Option(
            command: command["commandName"] as? String ?? "", name: name,
            takesValue: argument["kind"] as? String == "option",
            isList: argument["isRepeating"] as? Bool == true,
            namesFile: completion["file"] != nil || completion["directory"] != nil))
      }
    }
  }
}
