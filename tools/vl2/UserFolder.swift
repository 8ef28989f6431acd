import FoundationEssentials

/// Where a user's programs keep what they remember. Source: XDG Base Directory Specification; relative paths in the
/// variables are invalid.
enum UserFolder {
  /// For data that can be made again: `$XDG_CACHE_HOME/vl2`, else `~/.cache/vl2`; nil if there is neither.
  static let cache = folder("XDG_CACHE_HOME", default: ".cache")
  /// For data that should stay: `$XDG_STATE_HOME/vl2`, else `~/.local/state/vl2`; nil if there is neither.
  static let state = folder("XDG_STATE_HOME", default: ".local/state")

  private static func folder(_ variable: String, default path: String) -> String? {
    let environment = ProcessInfo.processInfo.environment
    if let folder = environment[variable], folder.hasPrefix("/") { return folder + "/vl2" }
    return environment["HOME"].flatMap { $0.hasPrefix("/") ? "\($0)/\(path)/vl2" : nil }
  }
}
