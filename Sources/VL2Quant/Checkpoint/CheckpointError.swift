import VL2Base

/// A checkpoint folder that cannot be read. Every problem names the file or tensor.
public enum CheckpointError: ReportableError, Equatable {
  /// A file that a checkpoint must have is not there.
  case missingFile(path: String)
  /// The index names a shard that is not there.
  case missingShard(path: String, index: String)
  /// A checkpoint is to be written to a place where something already exists.
  case folderInUse(path: String)
  /// A folder is left over from an earlier run that was killed.
  case leftOver(path: String)
  /// A file breaks the rules of its format.
  case malformed(path: String, problem: String)
  /// A tensor that the config asks for is in no shard.
  case missingTensor(name: String, folder: String)
  /// Two shards hold a tensor of the same name.
  case duplicateTensor(name: String, first: String, second: String)
  case wrongShape(tensor: String, path: String, found: [Int], expected: [Int])
  case wrongType(tensor: String, path: String, found: String)
  /// The folder holds no model, only what was trained on top of one (LoRA and the like).
  case adapter(path: String)
  /// A file was written to while it was read.
  case changed(path: String)
  /// A weight is infinite or not a number.
  case notFinite(tensor: String, path: String)

  public var kind: ErrorKind {
    switch self {
    case .missingFile, .missingShard: .noInput
    case .folderInUse, .leftOver: .usage
    default: .badData
    }
  }

  public var problem: String {
    switch self {
    case .missingFile(let path): "\(path): no such file"
    case .missingShard(let path, let index): "\(path): no such file, but \(index) names it"
    case .folderInUse(let path): "\(path): is there already and not an empty folder"
    case .leftOver(let path): "\(path): is what another run writes or a killed one left"
    case .malformed(let path, let problem): "\(path): \(problem)"
    case .missingTensor(let name, let folder):
      "\(folder): no shard holds the tensor \(name), which config.json asks for"
    case .duplicateTensor(let name, let first, let second):
      "\(second): holds the tensor \(UntrustedText.quoted(name)), which \(first) holds too"
    case .wrongShape(let tensor, let path, let found, let expected):
      "\(path): \(tensor) has the shape \(found), but config.json asks for \(expected)"
    case .wrongType(let tensor, let path, let found):
      "\(path): \(tensor) is of type \(UntrustedText.quoted(found))"
    case .adapter(let path): "\(path): an adapter (LoRA), not a model"
    case .changed(let path): "\(path): was changed while it was read"
    case .notFinite(let tensor, let path):
      "\(path): \(tensor) holds an infinite weight or one that is not a number"
    }
  }

  public var hint: Hint {
    switch self {
    case .missingFile:
      """
      a checkpoint folder has config.json, processor_config.json, tokenizer.json and *.safetensors; all but the last \
      may come from the model it was made from: \(.base)
      """
    case .missingShard: "fetch this shard as well"
    case .folderInUse: "name another folder"
    case .leftOver: "delete it when no other run is writing"
    case .malformed, .notFinite: "fetch the file again"
    case .missingTensor: "fetch the missing shards"
    case .duplicateTensor: "keep the shards of one checkpoint"
    case .wrongShape: "take config.json and shards from the same checkpoint"
    case .wrongType: "only BF16, F16 and F32 are read: take the unquantised checkpoint"
    case .adapter:
      """
      merge it into its base model (in PEFT: merge_and_unload(), then save_pretrained(MERGED)) and pack MERGED with \
      \(.base)
      """
    case .changed: "pack again when nobody writes to it"
    }
  }
}
