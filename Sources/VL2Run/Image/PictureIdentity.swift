import VL2Base

/// Tells pictures apart by their pixels.
package struct PictureIdentity: Sendable, Hashable {
  private let width: Int
  private let height: Int
  /// SHA-256 of the pixels.
  private let digest: String

  fileprivate init(_ picture: Picture) {
    width = picture.width
    height = picture.height
    digest = picture.pixels.withUnsafeBytes { sha256Hexadecimal($0) }
  }
}

/// A picture's identity, worked out when somebody first wants it and shared by all copies of the picture.
struct LazyIdentity: Sendable {
  private let known = Monitor<PictureIdentity?>(nil)

  func of(_ picture: Picture) -> PictureIdentity {
    known.withLock { known in
      if let known { return known }
      let identity = PictureIdentity(picture)
      known = identity
      return identity
    }
  }
}
