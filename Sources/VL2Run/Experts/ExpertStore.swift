/// A routed expert and the rows that picked it.
package struct ExpertUse: BitwiseCopyable {
  package var expert: Int
  private var firstPair, endPair: Int

  init(expert: Int, pairs: Range<Int>) {
    self.expert = expert
    (firstPair, endPair) = (pairs.lowerBound, pairs.upperBound)
  }

  /// - Parameter rows: how many rows picked it.
  package init(expert: Int, rows: Int) { self.init(expert: expert, pairs: 0..<rows) }

  /// The places of its rows in a list of all rows that is sorted by expert.
  var pairs: Range<Int> { firstPair..<endPair }
}

/// An expert that is ready to be computed with.
package struct ReadyExpert: BitwiseCopyable {
  /// Its place in the list that was passed to `begin`.
  package var place: Int
  package var weights: GatedWeights
}

/// Hands out the routed experts of a layer, one layer at a time.
///
/// For each layer, call `begin`, and then `next` until every expert was given.
package protocol ExpertStore: AnyObject {
  /// Tells which experts a layer's rows were routed to.
  ///
  /// - Parameters:
  ///   - experts: in ascending order.
  ///   - rows: how many rows the layer has.
  ///   - inOrder: whether `next` has to keep that order.
  func begin(layer: Int, experts: UnsafeBufferPointer<ExpertUse>, rows: Int, inOrder: Bool) throws

  /// Gives experts that are in memory and were not given yet. Where the order counts, they come in that
  /// order, from the first on.
  ///
  /// - Parameters:
  ///   - most: the most experts to give; at least 1.
  ///   - waiting: whether to wait until there is at least one; otherwise there may be none.
  ///   - ready: set to these experts; what they point to is valid until the next call of any method.
  /// - Throws: `PackedFileError` for an expert that cannot be read or is damaged.
  func next(most: Int, waiting: Bool, into ready: inout PlainList<ReadyExpert>) throws

  /// When the store wants to be told what comes next.
  var prefetchMode: PrefetchMode { get }

  /// Tells which experts a later layer will probably want. Called between the `begin` of one layer and that
  /// of the next. It replaces what was told for that layer before.
  ///
  /// - Parameters:
  ///   - experts: in the order in which they should be read, likeliest first.
  ///   - certain: whether the layer will want nearly all of them.
  /// - Returns: whether it is worth telling what the layer after that one will want.
  @discardableResult
  func prefetch(layer: Int, experts: [Int], certain: Bool) -> Bool
}

/// When an expert store wants to be told what comes next.
package enum PrefetchMode: Sendable {
  /// Never: nothing is read ahead.
  case never
  /// Guesses are wanted while a layer waits for an expert, when they cost only time that nobody needs. The
  /// next layer of a prompt, which is no guess, is wanted at once.
  case whileWaiting
  /// In each layer, as soon as the layer knows its own experts.
  case always

  /// The most rows for which the experts of later layers are guessed row by row; more rows want nearly all experts.
  package static let guessedRows = 32
}
