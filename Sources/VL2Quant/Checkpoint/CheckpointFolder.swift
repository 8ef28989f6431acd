import FoundationEssentials
import VL2Base

/// The folder that somebody means who names a checkpoint.
struct CheckpointFolder {
  /// Where the files are.
  let path: String
  /// What the model is called.
  let name: String

  private static let cachePrefix = "models--"

  /// - Parameter given: a checkpoint's folder, or the root of a Hugging Face cache with one snapshot of it.
  /// - Throws: `ForeignSourceError`, `CheckpointError.adapter`.
  init(_ given: String) throws {
    guard let status = FileStatus(given) else { throw ForeignSourceError.missing(path: given) }
    guard status.isFolder else {
      throw ForeignSourceError.file(path: given, kind: FileKind.ofFile(given))
    }
    path = try Self.snapshot(of: given) ?? given
    name = Self.name(of: given)
  }

  /// Names of the files in a folder, sorted.
  ///
  /// - Throws: `InputError` where it cannot be listed.
  static func names(in folder: String) throws -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    } catch {
      throw InputError.unreadable(
        path: folder,
        reason: SystemReason("the folder cannot be listed", "let this user read it", kind: .noInput))
    }
  }

  /// The only snapshot in the root of a cache; nil for another folder.
  private static func snapshot(of folder: String) throws -> String? {
    let names = try names(in: folder)
    guard names.contains("snapshots"), !names.contains("config.json") else { return nil }
    let snapshots = try Self.names(in: folder + "/snapshots").filter { $0.first != "." }
    guard snapshots.count == 1 else {
      throw ForeignSourceError.cache(path: folder, snapshots: snapshots)
    }
    return folder + "/snapshots/" + snapshots[0]
  }

  /// The last part of the path, with links and dots resolved; for a folder of a cache, the model's own name.
  private static func name(of folder: String) -> String {
    let parts = URL(fileURLWithPath: folder).standardizedFileURL.pathComponents
    let isSnapshot = parts.count > 2 && parts[parts.count - 2] == "snapshots"
    let last = parts[parts.count - (isSnapshot ? 3 : 1)]
    guard last.hasPrefix(cachePrefix) else { return parts[parts.count - 1] }
    let name = last.dropFirst(cachePrefix.count)
    // models--ORGANISATION--MODEL
    guard let start = name.firstRange(of: "--")?.upperBound, start < name.endIndex else {
      return String(name)
    }
    return String(name[start...])
  }

  /// Refuses a folder whose names say that it holds something else: what PEFT wrote without a model, or weights in
  /// another format alone.
  ///
  /// - Throws: `CheckpointError.adapter`, `ForeignSourceError.otherFormat`, `InputError` where it cannot be listed.
  func refuseOtherFormats() throws {
    let names = try Self.names(in: path)
    let hasModel = names.contains {
      $0 == "model.safetensors.index.json" || ($0.hasSuffix(".safetensors") && !$0.hasPrefix("adapter_"))
    }
    if hasModel { return }
    if names.contains(where: { $0 == "adapter_config.json" || $0.hasPrefix("adapter_model.") }) {
      throw CheckpointError.adapter(path: path)
    }
    for (endings, kind) in [([".gguf"], FileKind.gguf), ([".bin", ".pt", ".pth"], .pyTorch)] {
      if let file = names.first(where: { name in endings.contains { name.hasSuffix($0) } }) {
        throw ForeignSourceError.otherFormat(folder: path, file: file, kind: kind)
      }
    }
  }
}
