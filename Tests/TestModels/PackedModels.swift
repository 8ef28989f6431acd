import Foundation
import TestSupport
import VL2Quant

/// Packed models that tests read. Each is made once a test run; a test that changes one takes a copy.
package enum PackedModels {
  private static let packer = Packer()

  /// Path of a packed golden checkpoint.
  package static func path(
    _ checkpoint: String, _ weights: WeightCode, compression: PackedSection.Compression = .never
  ) throws -> String {
    try packer.path(Fixtures.checkpoint(checkpoint), name: checkpoint, weights, compression)
  }

  /// Path of the model that ships, packed as users pack it.
  package static func pocket() throws -> String {
    try packer.path(Fixtures.pocket + "/checkpoint", name: "pocket", .q4, .never)
  }

  /// A packed golden checkpoint, only to be read.
  package static func file(
    _ checkpoint: String, _ weights: WeightCode, compression: PackedSection.Compression = .never
  ) throws -> PackedFile {
    try PackedFile(path: try path(checkpoint, weights, compression: compression))
  }

  /// The sections of a packed golden checkpoint.
  package static func sections(_ checkpoint: String, _ weights: WeightCode = .q4) throws -> [SectionEntry] {
    try file(checkpoint, weights).manifest.sections
  }

  /// A packed golden checkpoint copied to `path`, to be changed.
  @discardableResult
  package static func copy(_ checkpoint: String, _ weights: WeightCode = .q4, to path: String) throws
    -> [UInt8]
  {
    let whole = try bytes(of: try Self.path(checkpoint, weights))
    try write(whole, to: path)
    return whole
  }

  private final class Packer: @unchecked Sendable {
    private let lock = NSLock()
    private var paths: [String: String] = [:]
    private let folder = FileManager.default.temporaryDirectory
      .appendingPathComponent("vl2-models-\(ProcessInfo.processInfo.processIdentifier)").path

    func path(
      _ checkpoint: String, name: String, _ weights: WeightCode, _ compression: PackedSection.Compression
    ) throws -> String {
      lock.lock()
      defer { lock.unlock() }
      let name = "\(name)-\(weights.rawValue)\(compression == .never ? "" : "-zstd")"
      if let path = paths[name] { return path }
      if paths.isEmpty {
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        atexitFolder = folder
        atexit { try? FileManager.default.removeItem(atPath: atexitFolder) }
      }
      let path = "\(folder)/\(name).vl2q"
      try packed(checkpoint, to: path, weights, compression: compression)
      // A test that writes to a shared file fails, unless it runs as root.
      try FileManager.default.setAttributes([.posixPermissions: 0o444], ofItemAtPath: path)
      paths[name] = path
      return path
    }
  }
}

nonisolated(unsafe) private var atexitFolder = ""
