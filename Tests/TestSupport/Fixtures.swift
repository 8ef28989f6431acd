import Foundation

/// Files that tests read: golden checkpoints with their stage outputs, a real tokeniser.
public enum Fixtures {
  /// The folder of fixtures. `VL2_FIXTURES` moves it, for tests that run on another machine than the one that
  /// built them.
  public static let folder: String =
    ProcessInfo.processInfo.environment["VL2_FIXTURES"]
    ?? URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("Fixtures").path

  /// Absolute path of a fixture, for example "golden/checkpoints/nano-mha".
  public static func path(_ relative: String) -> String { folder + "/" + relative }

  /// The folder of a golden checkpoint.
  public static func checkpoint(_ name: String) -> String { path("golden/checkpoints/" + name) }

  /// The folder of the model that ships: its checkpoint, and items to evaluate it with.
  public static let pocket = folder + "/../../../models/pocket"

  /// The prompts of the golden stage outputs.
  public static let goldenCases = [
    "one-image", "grounding", "two-images", "three-images", "chat", "text-only",
  ]
}
