import Foundation

/// All bytes of a file.
public func bytes(of path: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
}

/// Makes a file, or replaces its content.
public func write(_ bytes: some Sequence<UInt8>, to path: String) throws {
  try Data(bytes).write(to: URL(fileURLWithPath: path))
}

/// Makes files below a folder, and the folders on the way to them.
public func write(_ texts: [String: String], below folder: String) throws {
  for (path, text) in texts {
    let file = URL(fileURLWithPath: folder + path)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(text.utf8).write(to: file)
  }
}

/// Makes links in `folder` to the files of `original`, except some.
public func link(_ original: String, into folder: String, except left: Set<String>) throws {
  for name in try FileManager.default.contentsOfDirectory(atPath: original) where !left.contains(name) {
    try FileManager.default.createSymbolicLink(
      atPath: folder + "/" + name, withDestinationPath: original + "/" + name)
  }
}

/// A file's permissions.
public func mode(_ path: String) throws -> Int? {
  try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
}
