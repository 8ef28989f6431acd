import FoundationEssentials

/// Identifies a file by what it is, not by how its path is written.
struct FileIdentity: Equatable {
  private let path: String

  init(_ path: String) { self.path = URL(fileURLWithPath: path).resolvingSymlinksInPath().path }
}
