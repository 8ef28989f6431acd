import CZstd
import VL2Base

/// Everything that the bytes of a packed file depend on. Work can be resumed if all of it is the same.
struct PackingJob: Equatable {
  /// The program and its version: another one may encode differently.
  var tool: String
  /// Whether sections may be zstd frames.
  var compresses: Bool
  /// The version of libzstd, whose frames may differ between versions.
  var zstd: Int
  var recipe: [RecipeRule]
  /// SHA-256 of the statistics by which scales are chosen; nil where there are none.
  var calibration: String?
  /// What the packed file is made of; of shards, whose weights are hashed while they are read, the hash of the header.
  var files: [SourceFile]

  init(
    tool: String, compression: PackedSection.Compression, recipe: Recipe, calibration: String?,
    files: [SourceFile]
  ) {
    self.tool = tool
    compresses = compression == .whereUseful
    zstd = Int(ZSTD_versionNumber())
    self.recipe = recipe.rules
    self.calibration = calibration
    self.files = files
  }

  /// JSON, as `init` reads it.
  var encoded: String {
    "{\(calibration.map { "\"calibration\":\"\($0)\"," } ?? "")\"compresses\":\(compresses),\"files\":[\(files.map(\.encoded).joined(separator: ","))],"
      + "\"recipe\":[\(recipe.map(\.encoded).joined(separator: ","))],\"tool\":\(JSONText.quoted(tool)),\"zstd\":\(zstd)}"
  }

  init(_ object: ManifestObject) throws {
    calibration = object.has("calibration") ? try object.string("calibration") : nil
    tool = try object.string("tool")
    compresses = try object.bool("compresses")
    zstd = try object.integer("zstd")
    recipe = try object.objects("recipe").map { try RecipeRule($0) }
    files = try object.objects("files").map { try SourceFile($0) }
  }

  /// What has changed since an earlier job: the end of a sentence, and the setting that it comes from, if
  /// any; nil if nothing has.
  func difference(from earlier: PackingJob) -> (text: String, setting: Setting?)? {
    for file in files {
      let before = earlier.files.first { $0.name == file.name && $0.base == file.base }
      if before == nil { return ("\(quoted(file)) has come to the source", nil) }
      if before != file { return (Self.change(of: file.name), nil) }
    }
    if let gone = earlier.files.first(where: { before in
      !files.contains { $0.name == before.name && $0.base == before.base }
    }) {
      return ("\(quoted(gone)) has gone from the source", nil)
    }
    if recipe != earlier.recipe { return ("the codes are chosen otherwise", .codes) }
    if calibration != earlier.calibration {
      return ("scales are chosen by other statistics", .calibration)
    }
    if compresses != earlier.compresses { return ("sections are encoded otherwise", .sections) }
    if tool != earlier.tool || zstd != earlier.zstd {
      return ("the program or libzstd has another version", nil)
    }
    return nil
  }

  static func change(of name: String) -> String { "\(UntrustedText.quoted(name)) has changed" }

  private func quoted(_ file: SourceFile) -> String { UntrustedText.quoted(file.name) }
}
