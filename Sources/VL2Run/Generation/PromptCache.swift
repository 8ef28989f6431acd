import VL2Base

/// Tells two pictures apart by what the tower would see of them.
struct PictureIdentity: Sendable, Equatable {
  private let grid: TileGrid
  private let digest: String

  init(_ picture: TiledPicture) {
    grid = picture.grid
    digest = picture.tiles.withUnsafeBytes { sha256Hexadecimal($0) }
  }
}

/// What a session keeps of earlier requests: keys and values of the positions that went through the decoder,
/// and the rows of the last request's pictures.
final class PromptCache {
  private struct Place: Equatable {
    var span: Range<Int>
    var picture: PictureIdentity
  }

  private var cache: KeyValueCache?
  private var tokens: [Int] = []
  /// Positions that the model wrote.
  private var answers: [Range<Int>] = []
  private var places: [Place] = []
  private var rows: [(picture: PictureIdentity, rows: EncodedPicture)] = []

  /// How many of a prompt's positions, from the first on, the cache holds; drops all later ones from the
  /// cache. At least one position of the prompt is left to compute, because the logits after it are needed.
  func matchPrefix(_ prompt: Prompt, _ spans: [Range<Int>], _ pictures: [PictureIdentity]) -> Int {
    var count = min(tokens.count, prompt.tokens.count - 1)
    count = (0..<count).first { tokens[$0] != prompt.tokens[$0] } ?? count
    // A token of a prompt is not the same as one that the model wrote (see `RowKind`).
    let (kept, new) = (Set(answers.joined()), Set(prompt.answers.joined()))
    count = min(count, kept.symmetricDifference(new).min() ?? count)
    let newPlaces = zip(spans, pictures).map { Place(span: $0, picture: $1) }
    // The tokens of all pictures look alike, so pictures that begin within the prefix are compared too.
    for (index, place) in newPlaces.enumerated() where place.span.lowerBound < count {
      if index >= places.count || places[index] != place {
        count = place.span.lowerBound
        break
      }
    }
    tokens.removeSubrange(count...)
    cache?.truncate(to: count)
    return count
  }

  /// A picture's rows, where they are known.
  func rows(of picture: PictureIdentity) -> EncodedPicture? { rows.first { $0.picture == picture }?.rows }

  /// The cache, with the positions that `matchPrefix` left.
  func cache(_ decoder: Decoder, positions: Int) throws -> KeyValueCache {
    if let cache { return cache }
    let new = try decoder.makeCache(positions: positions)
    cache = new
    return new
  }

  /// Records that the cache holds a whole prompt.
  func store(
    _ prompt: Prompt, _ spans: [Range<Int>], _ pictures: [PictureIdentity], _ encoded: [EncodedPicture?]
  ) {
    tokens = prompt.tokens
    answers = prompt.answers
    places = zip(spans, pictures).map { Place(span: $0, picture: $1) }
    let earlier = rows
    rows = zip(pictures, encoded).compactMap { picture, new in
      (new ?? earlier.first { $0.picture == picture }?.rows).map { (picture, $0) }
    }
  }

  /// Drops everything; called where it is in doubt what the cache holds.
  func clear() {
    cache = nil
    tokens = []
    answers = []
    places = []
    rows = []
  }

  /// Records that the cache holds one more token.
  func append(_ token: Int) {
    answers.append(tokens.count..<tokens.count + 1)
    tokens.append(token)
  }
}
