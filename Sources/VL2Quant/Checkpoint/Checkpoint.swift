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

  /// A file with weights.
  struct Shard {
    var source: Source
    /// Bytes before the first weight.
    var headerLength: Int
  }

  /// The folder's path: as it was given, or the snapshot in the root of a Hugging Face cache that was given.
  public let folder: String
  /// What the model is called: the last component of the folder's path, with links and dots resolved, or the name in
  /// that of a cache.
  public let name: String
  /// The folder of the model that this one was made from. Config and tokeniser files that `folder` lacks come
  /// from there.
  public let base: String?
  /// What the base model is called; nil if there is none.
  public let baseName: String?
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

  /// The files besides the shards that go into a packed file.
  let texts: [Source]
  /// Sorted by the bytes of their names.
  let shards: [Shard]
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
  ///   - folder: the folder with the weights, or the root of a Hugging Face cache with one snapshot of it.
  ///   - base: the folder of the model that this one was made from. Config files, tokeniser and licence that
  ///     `folder` lacks are taken from it. nil for a complete checkpoint.
  /// - Throws: `CheckpointError`; `ForeignSourceError` for what is no checkpoint in published format; `InputError` if a
  ///   file cannot be read; `FileError` for a config file (also for a model that is not DeepSeek-VL2).
  public init(folder: String, base: String? = nil) throws {
    let own = try CheckpointFolder(folder)
    let below = try base.map { try CheckpointFolder($0) }
    try own.refuseOtherFormats()
    (self.folder, name, self.base, baseName) = (own.path, own.name, below?.path, below?.name)
    let (folder, base) = (own.path, below?.path)
    let texts = SourceTexts(folder: folder, base: base)
    var configFiles: [String: String] = [:]
    for (name, required) in Self.configNames {
      configFiles[name] = try texts.text(name, atMost: Self.longestConfig, required: required)
    }
    self.configFiles = configFiles
    config = try ModelConfig(configFiles: configFiles)
    let root = try ConfigObject(text: configFiles["config.json"] ?? "{}", file: "config.json")
    try ForeignTensors.refuseQuantization(root, path: folder + "/config.json")
    let mark = try root.demonstrationMark("vl2_demonstration")
    (isDemonstration, demonstrationNote) = (mark.isSet, mark.sentence)
    tokenizerJSON = try texts.bytes("tokenizer.json", atMost: Self.longestTokenizer, required: true) ?? []
    license = try texts.license(atMost: Self.longestLicense)
    self.texts = texts.sources
    let list = try ShardList(folder: folder)
    (shards, tensors) = try Self.read(list, folder: folder)
    paths = texts.sources.map(\.file.path) + list.paths + (list.index.map { [$0] } ?? [])
    // PEFT's names for the matrices of an adapter. They may also stand beside the model's own matrices.
    let unmerged = tensorNames.first { $0.contains(".lora_A.") || $0.contains(".lora_B.") }
    if let tensor = unmerged.flatMap({ tensors[$0] }) {
      throw CheckpointError.adapter(path: tensor.file.path)
    }
  }

  /// The bytes of a `tokenizer.json`. They are checked by `CompiledTokenizer`, not here.
  ///
  /// - Throws: `InputError` if it cannot be read, `CheckpointError` if it is longer than any vocabulary.
  public static func tokenizerSource(at path: String) throws -> [UInt8] {
    try SourceTexts.bytes(of: try InputFile(path: path), atMost: longestTokenizer, expected: .json)
  }

  /// The names of all tensors, sorted by their bytes.
  public var tensorNames: [String] { tensors.keys.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) } }

  /// The tensor with this name and shape. Its type must be one that weights are read from.
  ///
  /// - Throws: `CheckpointError.missingTensor`, `.wrongShape`, `.wrongType`; `ForeignSourceError` where another program
  ///   named or quantised the tensors.
  func tensor(_ name: String, shape: [Int]) throws -> Tensor {
    guard let tensor = tensors[name] else {
      if let cause = foreign.cause(ofMissing: name) { throw cause }
      throw CheckpointError.missingTensor(name: name, folder: folder)
    }
    let isRead = tensor.type.weightBytes != nil
    if tensor.shape == shape, isRead { return tensor }
    if let cause = foreign.quantization() { throw cause }
    guard isRead else {
      throw CheckpointError.wrongType(tensor: name, path: tensor.file.path, found: tensor.type.name)
    }
    throw CheckpointError.wrongShape(
      tensor: name, path: tensor.file.path, found: tensor.shape, expected: shape)
  }

  private var foreign: ForeignTensors { ForeignTensors(folder: folder, names: tensorNames) }

  // MARK: - Opening

  /// The shards that hold tensors, and these.
  private static func read(_ list: ShardList, folder: String) throws -> ([Shard], [String: Tensor]) {
    var shards: [Shard] = []
    var tensors: [String: Tensor] = [:]
    for path in list.paths {
      let file: InputFile
      do {
        file = try InputFile(path: path)
      } catch InputError.missing where list.index != nil {
        throw CheckpointError.missingShard(path: path, index: list.index ?? "")
      }
      let header = try SafetensorsHeader(of: file)
      let source = Source(name: String(path.dropFirst(folder.count + 1)), isFromBase: false, file: file)
      if !header.tensors.isEmpty { shards.append(Shard(source: source, headerLength: header.byteCount)) }
      for entry in header.tensors {
        let tensor = Tensor(
          name: entry.name, type: entry.type, shape: entry.shape, file: file, offset: entry.range.lowerBound)
        if let other = tensors.updateValue(tensor, forKey: entry.name) {
          throw CheckpointError.duplicateTensor(name: entry.name, first: other.file.path, second: path)
        }
      }
    }
    // Sorted, so that the same folder always gives the same message.
    for (name, file) in list.promised.sorted(by: { $0.key < $1.key })
    where tensors[name]?.file.path != folder + "/" + file {
      throw CheckpointError.malformed(
        path: folder + "/" + file,
        problem: "does not hold the tensor \(UntrustedText.quoted(name)), as \(list.index ?? "") says")
    }
    shards.sort { $0.source.name.utf8.lexicographicallyPrecedes($1.source.name.utf8) }
    return (shards, tensors)
  }
}
