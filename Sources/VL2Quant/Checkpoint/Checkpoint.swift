import Foundation

/// A folder in the published format of DeepSeek-VL2: config files, a tokeniser, and weights in safetensors files.
///
/// Opening reads and checks everything but the weights, which are read in windows when somebody asks.
public final class Checkpoint: Sendable {
  /// A tensor and where its weights are.
  struct Tensor {
    var name: String
    var type: ScalarType
    var shape: [Int]
    var file: InputFile
    /// Byte of the file at which the weights begin.
    var offset: Int
  }

  /// The folder's path as it was given.
  public let folder: String
  public let config: ModelConfig
  /// The config files as they are: file name to text.
  public let configFiles: [String: String]
  /// The bytes of `tokenizer.json`.
  public let tokenizerJSON: [UInt8]
  /// The text of the folder's licence files, nil where there is none.
  public let license: String?
  /// Whether `config.json` says, with the key `vl2_demonstration`, that this model shows how things work and
  /// knows little.
  public let isDemonstration: Bool
  /// The sentence under that key; nil where it is just `true`.
  public let demonstrationNote: String?

  private let tensors: [String: Tensor]

  /// The files that a packed file embeds, and whether a checkpoint must have them.
  static let configNames = [
    ("config.json", true), ("processor_config.json", true), ("tokenizer_config.json", false),
  ]
  private static let longestConfig = 4 << 20
  private static let longestTokenizer = 64 << 20
  private static let longestLicense = 1 << 20

  /// Opens the folder and checks the config files and the header of every shard.
  ///
  /// - Throws: `CheckpointError`, `ConfigError` (also for a model that is not DeepSeek-VL2).
  public init(folder: String) throws {
    self.folder = folder
    var configFiles: [String: String] = [:]
    for (name, required) in Self.configNames {
      guard let text = try Self.text(folder + "/" + name, atMost: Self.longestConfig, required: required)
      else {
        continue
      }
      configFiles[name] = text
    }
    self.configFiles = configFiles
    config = try ModelConfig(configFiles: configFiles)
    let mark = try ConfigObject(text: configFiles["config.json"] ?? "{}", file: "config.json")
      .demonstrationMark("vl2_demonstration")
    (isDemonstration, demonstrationNote) = (mark.isSet, mark.sentence)
    tokenizerJSON = try Self.tokenizerSource(at: folder + "/tokenizer.json")
    license = try Self.licenseText(in: folder)
    tensors = try Self.tensors(of: try ShardList(folder: folder), folder: folder)
  }

  /// The bytes of a `tokenizer.json`, which `CompiledTokenizer` checks.
  ///
  /// - Throws: `CheckpointError` where it cannot be read or is longer than any vocabulary.
  public static func tokenizerSource(at path: String) throws -> [UInt8] {
    try bytes(path, atMost: longestTokenizer, required: true) ?? []
  }

  /// The last component of the folder's path, links and dots resolved.
  public var name: String { URL(fileURLWithPath: folder).standardizedFileURL.lastPathComponent }

  /// The names of all tensors, sorted by their bytes.
  public var tensorNames: [String] { tensors.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

  /// The tensor of this name and shape, of a type that weights are read from.
  ///
  /// - Throws: `CheckpointError.missingTensor`, `.wrongShape`, `.wrongType`.
  func tensor(_ name: String, shape: [Int]) throws -> Tensor {
    guard let tensor = tensors[name] else {
      throw CheckpointError.missingTensor(name: name, folder: folder)
    }
    guard tensor.shape == shape else {
      throw CheckpointError.wrongShape(
        tensor: name, path: tensor.file.path, found: tensor.shape, expected: shape)
    }
    guard tensor.type.weightBytes != nil else {
      throw CheckpointError.wrongType(tensor: name, path: tensor.file.path, found: tensor.type.name)
    }
    return tensor
  }

  // MARK: - Opening

  private static func tensors(of shards: ShardList, folder: String) throws -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for path in shards.paths {
      let file: InputFile
      do {
        file = try InputFile(path: path)
      } catch CheckpointError.missingFile where shards.index != nil {
        throw CheckpointError.missingShard(path: path, index: shards.index ?? "")
      }
      for entry in try SafetensorsHeader(of: file).tensors {
        let tensor = Tensor(
          name: entry.name, type: entry.type, shape: entry.shape, file: file, offset: entry.range.lowerBound)
        if let other = tensors.updateValue(tensor, forKey: entry.name) {
          throw CheckpointError.duplicateTensor(name: entry.name, first: other.file.path, second: path)
        }
      }
    }
    // Sorted, so that the same folder always gives the same message.
    for (name, file) in shards.promised.sorted(by: { $0.key < $1.key })
    where tensors[name]?.file.path != folder + "/" + file {
      throw CheckpointError.malformed(
        path: folder + "/" + file,
        problem: "does not hold the tensor \(CheckpointError.quote(name)), as \(shards.index ?? "") says")
    }
    return tensors
  }

  private static func bytes(_ path: String, atMost limit: Int, required: Bool) throws -> [UInt8]? {
    let file: InputFile
    do {
      file = try InputFile(path: path)
    } catch CheckpointError.missingFile where !required {
      return nil
    }
    guard file.length <= limit else {
      throw CheckpointError.malformed(
        path: path, problem: "\(file.length) bytes are too long, at most \(limit) are read")
    }
    return try file.bytes(0..<file.length)
  }

  private static func text(_ path: String, atMost limit: Int, required: Bool) throws -> String? {
    guard let bytes = try bytes(path, atMost: limit, required: required) else { return nil }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw CheckpointError.malformed(path: path, problem: "not valid UTF-8")
    }
    return text
  }

  /// LICENSE, LICENSE.txt, LICENSE-MODEL and the like, one after another where there are several.
  private static func licenseText(in folder: String) throws -> String? {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let paths = names.filter { $0.uppercased().hasPrefix("LICENSE") }.sorted().map { folder + "/" + $0 }
    let texts = try paths.filter { path in
      var isFolder: ObjCBool = false
      return FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) && !isFolder.boolValue
    }.compactMap { try bytes($0, atMost: longestLicense, required: false) }
    return texts.isEmpty ? nil : texts.map { String(decoding: $0, as: UTF8.self) }.joined(separator: "\n")
  }
}
