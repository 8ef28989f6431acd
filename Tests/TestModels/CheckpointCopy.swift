import Foundation
import TestSupport

/// A checkpoint folder that tests can change and write. It begins as a copy of a golden one, which is small
/// enough to hold in memory.
package struct CheckpointCopy {
  package struct Tensor {
    package var name: String
    package var type: String
    package var shape: [Int]
    package var bytes: [UInt8]

    package init(name: String, type: String, shape: [Int], bytes: [UInt8]) {
      (self.name, self.type, self.shape, self.bytes) = (name, type, shape, bytes)
    }
  }

  /// Config files and tokeniser by name.
  package var texts: [String: [UInt8]] = [:]
  package var tensors: [Tensor]

  package init(_ name: String = "nano-mha") throws {
    let folder = Fixtures.checkpoint(name)
    for file in ["config.json", "processor_config.json", "tokenizer.json", "tokenizer_config.json"] {
      texts[file] = try bytes(of: folder + "/" + file)
    }
    let shard = try SafetensorsFile(path: folder + "/model-00001-of-000001.safetensors")
    tensors = try shard.names.map {
      Tensor(
        name: $0, type: try shard.type(of: $0), shape: try shard.shape(of: $0), bytes: try shard.bytes(of: $0)
      )
    }
  }

  /// Changes the tensor `name` in place.
  package mutating func change(_ name: String, _ body: (inout Tensor) -> Void) {
    for index in tensors.indices where tensors[index].name == name { body(&tensors[index]) }
  }

  /// Changes a JSON file.
  package mutating func changeJSON(_ file: String, _ body: (inout [String: Any]) -> Void) throws {
    var object = try JSONSerialization.jsonObject(with: Data(texts[file] ?? [])) as? [String: Any] ?? [:]
    body(&object)
    texts[file] = [UInt8](try JSONSerialization.data(withJSONObject: object))
  }

  /// Writes the texts, and the tensors in `shards` files with an index.
  package func write(to folder: String, shards count: Int = 1) throws {
    try writeTexts(to: folder)
    var map: [String: String] = [:]
    for index in 0..<count {
      let name = "model-\(index + 1)-of-\(count).safetensors"
      let part = tensors.enumerated().filter { $0.offset % count == index }.map(\.element)
      try TestSupport.write(Self.shard(part), to: folder + "/" + name)
      for tensor in part { map[tensor.name] = name }
    }
    try TestSupport.write(
      [UInt8](try JSONSerialization.data(withJSONObject: ["metadata": [:], "weight_map": map])),
      to: folder + "/model.safetensors.index.json")
  }

  /// Writes the texts alone.
  package func writeTexts(to folder: String) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    for (name, text) in texts { try TestSupport.write(text, to: folder + "/" + name) }
  }

  /// The bytes of a safetensors file.
  package static func shard(_ tensors: [Tensor]) throws -> [UInt8] {
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
  package static func shard(header: [UInt8], _ bytes: [UInt8]) -> [UInt8] {
    withUnsafeBytes(of: UInt64(header.count).littleEndian) { Array($0) } + header + bytes
  }
}
