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

  /// Places of its rows in a list of all rows, sorted by expert.
  var pairs: Range<Int> { firstPair..<endPair }
}

/// An expert that may be computed with.
package struct ReadyExpert: BitwiseCopyable {
  /// Place in the list that `begin` was told.
  package var place: Int
  package var weights: GatedWeights
}

/// Gives the routed experts of a layer to those who compute with them, one layer at a time.
///
/// A layer is `begin`, then `next` until every expert was given.
package protocol ExpertStore: AnyObject {
  /// Tells which experts a layer's rows were routed to.
  ///
  /// - Parameters:
  ///   - experts: in ascending order.
  ///   - rows: all rows.
  ///   - inOrder: whether `next` has to keep that order.
  func begin(layer: Int, experts: UnsafeBufferPointer<ExpertUse>, rows: Int, inOrder: Bool) throws

  /// Gives experts that were not given yet: those that are in memory, in their order from the first on where the
  /// order counts.
  ///
  /// - Parameters:
  ///   - most: at most as many; at least 1.
  ///   - waiting: whether to wait until there is at least one; otherwise there may be none.
  ///   - ready: set to these experts; what they point to is right until the next call of any method.
  /// - Throws: `PackedFileError` for an expert that cannot be read or is damaged.
  func next(most: Int, waiting: Bool, into ready: inout PlainList<ReadyExpert>) throws

  /// When being told what comes next is of use.
  var prefetchMode: PrefetchMode { get }

  /// Tells, between `begin` of one layer and of the next, what a layer to come will probably want. What it was said to
  /// want before counts no more.
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
  /// Guesses while a layer waits for an expert, when they cost nothing but time that nobody needs; a prompt's next
  /// layer, which is no guess, at once.
  case whileWaiting
  /// In each layer, as soon as that knows its own experts.
  case always

  /// Rows up to which the experts of layers to come are guessed row by row; more rows want nearly all of them.
  package static let guessedRows = 32
}
