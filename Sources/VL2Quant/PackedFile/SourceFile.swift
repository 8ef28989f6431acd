/// A file that a packed file was made from, as its manifest lists it.
public struct SourceFile: Encodable, Sendable, Equatable {
  /// Relative to the folder.
  public var name: String
  /// Whether it came from the base model's folder, because the checkpoint had no file of that name.
  public var base: Bool
  /// Length in bytes.
  public var bytes: Int
  /// Lower-case hexadecimal.
  public var sha256: String

  public init(name: String, base: Bool, bytes: Int, sha256: String) {
    self.name = name
    self.base = base
    self.bytes = bytes
    self.sha256 = sha256
  }
}
