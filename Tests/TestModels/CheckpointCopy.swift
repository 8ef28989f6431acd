import Foundation
import TestSupport

/// A checkpoint folder to be changed and written: begins as a copy of a golden one, small enough to hold in memory.
struct CheckpointCopy {
  struct Tensor {
    var name: String
    var type: String
    var shape: [Int]
    var bytes: [UInt8]
  }

  /// Config files and tokeniser by name.
  var texts: [String: [UInt8]] = [:]
  var tensors: [Tensor]

  init(_ name: String = "nano-mha") throws {
    let folder = Fixtures.path("golden/checkpoints/\(name)")
    for file in ["config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json"] {
      texts[file] = [UInt8](try Data(contentsOf: URL(fileURLWithPath: folder + "/" + file)))
    }
    let shard = try SafetensorsFile(path: folder + "/model-00001-of-000001.safetensors")
    tensors = try shard.names.map {
      Tensor(
        name: $0, type: try shard.type(of: $0), shape: try shard.shape(of: $0), bytes: try shard.bytes(of: $0)
      )
    }
  }

  /// Changes the tensor `name` in place.
  mutating func change(_ name: String, _ body: (inout Tensor) -> Void) {
    for index in tensors.indices where tensors[index].name == name { body(&tensors[index]) }
  }

  /// Changes a JSON file.
  mutating func changeJSON(_ file: String, _ body: (inout [String: Any]) -> Void) throws {
    var object = try JSONSerialization.jsonObject(with: Data(texts[file] ?? [])) as? [String: Any] ?? [:]
    body(&object)
    texts[file] = [UInt8](try JSONSerialization.data(withJSONObject: object))
  }

  /// Writes the texts and the tensors in `shards` files with an index.
  func write(to folder: String, shards count: Int = 1) throws {
    try writeTexts(to: folder)
    var map: [String: String] = [:]
    for index in 0..<count {
      let name = "model-\(index + 1)-of-\(count).safetensors"
      let part = tensors.enumerated().filter { $0.offset % count == index }.map(\.element)
      try Self.write(Self.shard(part), to: folder + "/" + name)
      for tensor in part { map[tensor.name] = name }
    }
    try Self.write(
      [UInt8](try JSONSerialization.data(withJSONObject: ["metadata": [:], "weight_map": map])),
      to: folder + "/model.safetensors.index.json")
  }

  /// Writes the texts alone.
  func writeTexts(to folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for (name, text) in texts { try Self.write(text, to: folder + "/" + name) }
  }

  /// The bytes of a safetensors file.
  static func shard(_ tensors: [Tensor]) throws -> [UInt8] {
    var header: [String: Any] = ["__metadata__": ["format": "pt"]]
    var bytes: [UInt8] = []
    for tensor in tensors {
      header[tensor.name] = [
        "dtype": tensor.type, "shape": tensor.shape,
        "data_offsets": [bytes.count, bytes.count + tensor.bytes.count],
      ]
      bytes += tensor.bytes
    }
    return shard(header: [UInt8](try JSONSerialization.data(withJSONObject: header)), bytes)
  }

  /// A safetensors file with any header.
  static func shard(header: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + bytes
  }

  static func write(_ bytes: [UInt8], to path: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }
}
