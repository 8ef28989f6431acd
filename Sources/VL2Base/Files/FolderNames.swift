import Glibc

/// What is in a folder.
package enum FolderNames {
  /// The names, in no order, without those of the folder itself and of the one above it.
  ///
  /// - Throws: `Descriptor.Failure` where it cannot be read.
  package static func read(_ path: String) throws(Descriptor.Failure) -> [String] {
    guard let folder = opendir(path) else { throw Descriptor.Failure(number: errno) }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
      let name = withUnsafePointer(to: &entry.pointee.d_name) { place in
        place.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }
}
