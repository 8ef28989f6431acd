import FoundationEssentials
import VL2Base

/// A folder in the published format of DeepSeek-VL2: config files, a tokeniser, and weights in safetensors files.
///
/// Opening reads and checks everything except the weights. These are read on request, a window at a time.
public final class Checkpoint: Sendable {
  /// A tensor and where its weights are.
  struct Tensor {
    var name: String
    var type: ScalarType
    var shape: [Int]
    var file: InputFile
    /// Byte offset in the file at which the weights begin.
    var offset: Int
  }

  /// A file that was read, recorded as provenance.
  struct Source {
    var name: String
    var isFromBase: Bool
    var file: InputFile
  }

  /// The folder's path as it was given.
  public let folder: String
  /// The folder of the model that this one was made from. Config and tokeniser files that `folder` lacks come
  /// from there.
  public let base: String?
  public let config: ModelConfig
  /// The config files unchanged: file name to text.
  public let configFiles: [String: String]
  /// The bytes of `tokenizer.json`.
  public let tokenizerJSON: [UInt8]
  /// The text of the folder's licence files, nil if there is none.
  public let license: String?
  /// Whether `config.json` says, with the key `vl2_demonstration`, that this model is for demonstration: it
  /// shows how things work and knows little.
  public let isDemonstration: Bool
  /// The sentence under that key; nil if it is just `true`.
  public let demonstrationNote: String?

  /// Everything that goes into a packed file.
  let sources: [Source]
  private let tensors: [String: Tensor]
  /// The paths of all files that were read or will be.
  let paths: [String]

  /// The files that a packed file embeds, and whether a checkpoint must have them.
  static let configNames = [
    ("config.json", true), ("processor_config.json", true), ("tokenizer_config.json", false),
  ]
  private static let longestConfig = 4 << 20
  private static let longestTokenizer = 64 << 20
  private static let longestLicense = 1 << 20

  /// Opens the folder and checks the config files and the header of every shard.
  ///
  /// - Parameters:
  ///   - folder: the folder with the weights.
  ///   - base: the folder of the model that this one was made from. Config files, tokeniser and licence that
  ///     `folder` lacks are taken from it. nil for a complete checkpoint.
  /// - Throws: `CheckpointError`; `InputError` if a file cannot be read; `FileError` for a config file (also
  ///   for a model that is not DeepSeek-VL2).
  public init(folder: String, base: String? = nil) throws {
    self.folder = folder
    self.base = base
    try Self.refuseAdapter(folder)
    let texts = SourceTexts(folder: folder, base: base)
    var configFiles: [String: String] = [:]
    for (name, required) in Self.configNames {
      configFiles[name] = try texts.text(name, atMost: Self.longestConfig, required: required)
    }
    self.configFiles = configFiles
    config = try ModelConfig(configFiles: configFiles)
    let mark = try ConfigObject(text: configFiles["config.json"] ?? "{}", file: "config.json")
      .demonstrationMark("vl2_demonstration")
    (isDemonstration, demonstrationNote) = (mark.isSet, mark.sentence)
    tokenizerJSON = try texts.bytes("tokenizer.json", atMost: Self.longestTokenizer, required: true) ?? []
    license = try texts.license(atMost: Self.longestLicense)
    let list = try ShardList(folder: folder)
    tensors = try Self.tensors(of: list, folder: folder)
    // Each shard once: many tensors share a file.
    let shards = Dictionary(
      tensors.values.map { ($0.file.path, $0.file) }, uniquingKeysWith: { first, _ in first })
    sources =
      texts.sources
      + shards.map {
        Source(name: String($0.key.dropFirst(folder.count + 1)), isFromBase: false, file: $0.value)
      }
    paths = sources.map(\.file.path) + list.paths + (list.index.map { [$0] } ?? [])
    // PEFT's names for the matrices of an adapter. They may also stand beside the model's own matrices.
    let unmerged = tensorNames.first { $0.contains(".lora_A.") || $0.contains(".lora_B.") }
    if let tensor = unmerged.flatMap({ tensors[$0] }) {
      throw CheckpointError.adapter(path: tensor.file.path)
    }
  }

  /// Refuses a folder that PEFT wrote if it holds no model besides the adapter.
  private static func refuseAdapter(_ folder: String) throws {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    let isAdapter = names.contains { $0 == "adapter_config.json" || $0.hasPrefix("adapter_model.") }
    let hasModel = names.contains {
      $0 == "model.safetensors.index.json" || ($0.hasSuffix(".safetensors") && !$0.hasPrefix("adapter_"))
    }
    if isAdapter, !hasModel { throw CheckpointError.adapter(path: folder) }
  }

  /// The bytes of a `tokenizer.json`. They are checked by `CompiledTokenizer`, not here.
  ///
  /// - Throws: `InputError` if it cannot be read, `CheckpointError` if it is longer than any vocabulary.
  public static func tokenizerSource(at path: String) throws -> [UInt8] {
    try SourceTexts.bytes(of: try InputFile(path: path), atMost: longestTokenizer)
  }

  /// The last component of the folder's path, with links and dots resolved.
  public var name: String { Self.name(of: folder) }

  /// The same for the base model's folder; nil if there is none.
  public var baseName: String? { base.map(Self.name) }

  private static func name(of folder: String) -> String {
    URL(fileURLWithPath: folder).standardizedFileURL.lastPathComponent
  }

  /// The names of all tensors, sorted by their bytes.
  public var tensorNames: [String] { tensors.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

  /// The tensor with this name and shape. Its type must be one that weights are read from.
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
      } catch InputError.missing where shards.index != nil {
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
        problem: "does not hold the tensor \(UntrustedText.quoted(name)), as \(shards.index ?? "") says")
    }
    return tensors
  }
}
