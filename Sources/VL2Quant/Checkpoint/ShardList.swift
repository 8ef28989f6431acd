import VL2Base

/// Which safetensors files make up a checkpoint, and which tensors its index promises.
struct ShardList {
  /// Absolute or relative paths, in the order of their names.
  let paths: [String]
  /// Tensor name to file name, from the index; empty if there is no index.
  let promised: [String: String]
  /// Where the index is, if there is one.
  let index: String?

  private static let indexName = "model.safetensors.index.json"
  private static let longestIndex = 256 << 20

  /// With an index, the files that it names; else `model.safetensors`; else all `*.safetensors`.
  init(folder: String) throws {
    let indexPath = folder + "/" + Self.indexName
    if let file = try Self.open(indexPath) {
      promised = try Self.weightMap(of: file)
      index = indexPath
      paths = Set(promised.values).sorted().map { folder + "/" + $0 }
      return
    }
    promised = [:]
    index = nil
    let shards = try CheckpointFolder.names(in: folder).filter { $0.hasSuffix(".safetensors") }
    guard !shards.isEmpty else { throw CheckpointError.missingFile(path: folder + "/model.safetensors") }
    let chosen = shards.contains("model.safetensors") ? ["model.safetensors"] : shards
    paths = chosen.map { folder + "/" + $0 }
  }

  private static func open(_ path: String) throws -> InputFile? {
    do {
      return try InputFile(path: path)
    } catch InputError.missing {
      return nil
    }
  }

  private static func weightMap(of file: InputFile) throws -> [String: String] {
    func wrong(_ problem: String) -> CheckpointError { .malformed(path: file.path, problem: problem) }
    guard file.length <= longestIndex else { throw wrong("\(file.length) bytes are too long for an index") }
    let value: JSONValue
    do {
      let bytes = try file.bytes(0..<file.length)
      try ForeignSourceError.refuse(bytes, of: file.path, expected: .json)
      value = try JSONReader.read(bytes)
    } catch let failure as JSONReader.Failure {
      throw wrong("not valid JSON at byte \(failure.offset): \(failure.problem)")
    }
    guard case .object(let members) = value,
      case .object(let map)? = members.first(where: { $0.key == Array("weight_map".utf8) })?.value
    else { throw wrong("weight_map is missing") }
    guard !map.isEmpty else { throw wrong("weight_map names no tensor") }
    var promised: [String: String] = [:]
    for entry in map {
      let tensor = String(decoding: entry.key, as: UTF8.self)
      guard case .string(let bytes) = entry.value else {
        throw wrong(
          "weight_map gives \(UntrustedText.quoted(tensor)) \(entry.value.kind) where a file was expected")
      }
      // A shard is a file beside the index. A path that leads elsewhere is refused.
      guard !bytes.isEmpty, bytes != Array("..".utf8), bytes != Array(".".utf8), !bytes.contains(0),
        !bytes.contains(UInt8(ascii: "/"))
      else {
        throw wrong("weight_map names \(UntrustedText.quoted(bytes)), which is not a file of this folder")
      }
      promised[tensor] = String(decoding: bytes, as: UTF8.self)
    }
    return promised
  }
}
