import Foundation
import TestSupport
import VL2Quant
import VL2Run

/// Packed nano models, each made once a test run.
enum PackedModels {
  private static let packer = Packer()

  /// Path of a packed golden checkpoint.
  static func path(_ checkpoint: String, _ weights: WeightCode) throws -> String {
    try packer.path(checkpoint, weights)
  }

  static func open(
    _ checkpoint: String, _ weights: WeightCode, activations: ActivationMode = .int8, threads: Int = 2
  ) throws -> Model {
    try Model(
      path: try path(checkpoint, weights),
      options: RuntimeOptions(threads: threads, activations: activations))
  }

  private final class Packer: @unchecked Sendable {
    private let lock = NSLock()
    private var paths: [String: String] = [:]
    private let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("vl2-models-\(ProcessInfo.processInfo.processIdentifier)").path

    func path(_ checkpoint: String, _ weights: WeightCode) throws -> String {
      lock.lock()
      defer { lock.unlock() }
      let name = "\(checkpoint)-\(weights.rawValue)"
      if let path = paths[name] { return path }
      if paths.isEmpty {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let folder = folder
        atexitFolders.append(folder)
        atexit { for folder in atexitFolders { try? FileManager.default.removeItem(atPath: folder) } }
      }
      let path = "\(folder)/\(name).vl2q"
      try ModelPacker(recipe: Recipe(matrices: weights), compression: .never, threads: 2, tool: "tests").pack(
        Checkpoint(folder: Fixtures.path("golden/checkpoints/" + checkpoint)), to: path)
      paths[name] = path
      return path
    }
  }
}

nonisolated(unsafe) private var atexitFolders: [String] = []
