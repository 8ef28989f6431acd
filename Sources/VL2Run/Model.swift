import Foundation
import SIMDKernels
import VL2Quant

/// How a model runs.
public struct RuntimeOptions: Sendable {
  /// Threads that share the arithmetic; nil for one per processor that this process may use.
  public var threads: Int?
  public var activations: ActivationMode

  public init(threads: Int? = nil, activations: ActivationMode = .int8) {
    self.threads = threads
    self.activations = activations
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
    tokenizer = try Tokenizer(section: file.sectionBytes("tokenizer"))
    guard tokenizer.count <= file.config.language.vocabularySize else {
      throw ModelError.tokenizerTooLarge(
        tokens: tokenizer.count, vocabulary: file.config.language.vocabularySize)
    }
    let threads = options.threads ?? ProcessInfo.processInfo.activeProcessorCount
    arithmetic = Arithmetic(pool: WorkerPool(threads: threads), mode: options.activations)
    tower = try VisionTower(file, arithmetic: arithmetic)
    projector = try Projector(file, arithmetic: arithmetic)
    decoder = try Decoder(file, arithmetic: arithmetic)
  }

  /// One line to tell whoever asks a model that shows how things work and knows little; nil for other models.
  public var demonstrationNotice: String? { file.manifest.origin.demonstrationNotice }

  /// Threads that share the arithmetic.
  public var threads: Int { arithmetic.pool.threads }

  /// The token that ends an answer.
  package var endToken: Int { tokenizer.endToken ?? config.language.endToken }

  /// Rows that a picture's `<image>` places in the prompt become.
  ///
  /// - Parameter progress: receives the number of tiles encoded, whenever it grows.
  package func encode(
    _ picture: TiledPicture, observer: StageObserver? = nil, progress: (Int) -> Void = { _ in }
  ) -> EncodedPicture {
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
    let batch = min(encoded, Self.tilesPerBatch)
    let patchRows = Rows(
      patches.reserve(batch * vision.patches * vision.width), count: batch * vision.patches,
      columns: vision.width)
    let tileBytes = picture.side * picture.side * 3
    picture.tiles.withUnsafeBufferPointer { tiles in
      for first in stride(from: 0, to: encoded, by: batch) {
        let count = min(batch, encoded - first)
        let out = patchRows.slice(0..<count * vision.patches)
        tower.encode(
          tiles: tiles.baseAddress! + first * tileBytes, count: count, into: out, observer: observer)
        projector.project(
          out, tiles: count, into: rows.slice(first * side * side..<(first + count) * side * side),
          observer: observer)
        progress(first + count)
      }
    }
    if encoded < places { rows[side * side].update(from: rows.base, count: side * side * hidden) }
    return EncodedPicture(
      grid: picture.grid, hidden: hidden, rowCount: ImagePlaces(config.processor).count(picture.grid)
    ) { projector.arrange(rows, grid: picture.grid, into: $0) }
  }

  /// Gives back the memory that encoding pictures and long prompts needed.
  package func releaseScratch() {
    tower.releaseScratch()
    projector.releaseScratch()
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
