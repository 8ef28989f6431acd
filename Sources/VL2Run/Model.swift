import Foundation
import SIMDKernels
import VL2Quant

/// How a model runs.
public struct RuntimeOptions: Sendable {
  /// Threads that share the arithmetic; nil for one per processor that this process may use.
  public var threads: Int?
  public var activations: ActivationMode
  /// Whether a section's checksum is looked at when it is first read.
  public var checks: Bool

  public init(threads: Int? = nil, activations: ActivationMode = .int8, checks: Bool = true) {
    self.threads = threads
    self.activations = activations
    self.checks = checks
  }
}

/// A packed model, opened and ready to answer. Opening maps the file; weights are read when they are used.
///
/// A model works on one request at a time.
public final class Model {
  public let file: PackedFile
  public let tokenizer: Tokenizer
  public var config: ModelConfig { file.config }

  package let arithmetic: Arithmetic
  package let decoder: Decoder
  private let weights: Weights
  private let experts: MappedExpertStore
  private let tower: VisionTower
  private let projector: Projector

  /// Tiles that go through the tower together: enough rows to use each weight often, few enough to fit in the
  /// memory of a small board.
  private static let tilesPerBatch = 4

  /// Opens a packed file.
  ///
  /// - Throws: `PackedFileError` for a damaged or foreign file, `ModelError` for a model that this version does
  ///   not run.
  public init(path: String, options: RuntimeOptions = RuntimeOptions()) throws {
    file = try PackedFile(path: path)
    file.surviveFaults()
    tokenizer = try Tokenizer(section: file.sectionBytes("tokenizer"))
    guard tokenizer.count <= file.config.language.vocabularySize else {
      throw ModelError.tokenizerTooLarge(
        tokens: tokenizer.count, vocabulary: file.config.language.vocabularySize)
    }
    let threads = options.threads ?? ProcessInfo.processInfo.activeProcessorCount
    arithmetic = Arithmetic(pool: WorkerPool(threads: threads), mode: options.activations)
    weights = Weights(file, checks: options.checks)
    experts = MappedExpertStore(weights, pool: arithmetic.pool)
    tower = try VisionTower(weights, arithmetic: arithmetic)
    projector = try Projector(weights, arithmetic: arithmetic)
    decoder = try Decoder(weights, store: experts, arithmetic: arithmetic)
  }

  /// Has to be called before a request: a file that changed since the last one (its card was pulled out and put
  /// back) is taken up again where it is whole and the same.
  ///
  /// - Throws: `PackedFileError` where it is not.
  package func beginRequest() throws {
    if try file.refresh() { experts.forget() }
  }

  /// One line to tell whoever asks a model that shows how things work and knows little; nil for other models.
  public var demonstrationNotice: String? { file.manifest.origin.demonstrationNotice }

  /// Threads that share the arithmetic.
  public var threads: Int { arithmetic.pool.threads }

  /// The token that ends an answer.
  package var endToken: Int { tokenizer.endToken ?? config.language.endToken }

  /// Rows that a picture's `<image>` places in the prompt become.
  ///
  /// - Parameter progress: receives the share of the work that is done, as a number of tiles, whenever it grows.
  /// - Throws: `PackedFileError` where weights cannot be read or the file changed underneath.
  package func encode(
    _ picture: TiledPicture, observer: StageObserver? = nil, progress: (Int) -> Void = { _ in }
  ) throws -> EncodedPicture {
    let vision = config.vision
    let side = projector.side
    let hidden = config.language.hiddenSize
    let places = 1 + picture.grid.rows * picture.grid.columns
    // The global view is the only local tile, pixel for pixel: one is encoded. An observer sees both.
    let encoded = picture.globalEqualsLocal && observer == nil ? 1 : places
    let features = AlignedBuffer()
    let rows = Rows(
      features.reserve(places * side * side * hidden), count: places * side * side, columns: hidden)
    let patches = AlignedBuffer()
    // Views do not own their memory.
    defer { withExtendedLifetime((features, patches)) {} }
    let patchRows = Rows(
      patches.reserve(encoded * vision.patches * vision.width), count: encoded * vision.patches,
      columns: vision.width)
    var shown = 0
    try picture.tiles.withUnsafeBufferPointer { tiles in
      guard let tiles = tiles.baseAddress else { return }
      try tower.encode(
        tiles: tiles, count: encoded, into: patchRows, batch: Self.tilesPerBatch, observer: observer
      ) { share in
        let done = Int(share * Double(encoded))
        if done > shown { progress(done) }
        shown = max(shown, done)
      }
    }
    for first in stride(from: 0, to: encoded, by: Self.tilesPerBatch) {
      let tiles = first..<min(encoded, first + Self.tilesPerBatch)
      try projector.project(
        patchRows.slice(tiles.lowerBound * vision.patches..<tiles.upperBound * vision.patches),
        tiles: tiles.count, into: rows.slice(first * side * side..<tiles.upperBound * side * side),
        observer: observer)
    }
    try file.checkUnchanged()
    if encoded < places { rows[side * side].update(from: rows.base, count: side * side * hidden) }
    return EncodedPicture(
      grid: picture.grid, hidden: hidden, rowCount: ImagePlaces(config.processor).count(picture.grid)
    ) { projector.arrange(rows, grid: picture.grid, into: $0) }
  }

  /// Gives back the memory that encoding pictures and long prompts needed.
  package func releaseScratch() {
    tower.releaseScratch()
    projector.releaseScratch()
    decoder.releaseScratch()
    arithmetic.releaseScratch()
  }
}

/// A picture as rows of the language model.
package final class EncodedPicture {
  package let grid: TileGrid
  package let rows: Rows
  private let buffer = AlignedBuffer()

  fileprivate init(grid: TileGrid, hidden: Int, rowCount: Int, fill: (Rows) -> Void) {
    self.grid = grid
    rows = Rows(buffer.reserve(rowCount * hidden), count: rowCount, columns: hidden)
    fill(rows)
  }
}
