/// Memory that the feed-forward parts of all layers share, since one layer works at a time.
package final class FeedForwardScratch {
  /// An expert with the rows that picked it.
  struct ExpertTask: BitwiseCopyable {
    private let firstPair, endPair: Int
    let weights: GatedWeights

    init(pairs: Range<Int>, weights: GatedWeights) {
      (firstPair, endPair) = (pairs.lowerBound, pairs.upperBound)
      self.weights = weights
    }

    /// Places in `rowsByExpert`.
    var pairs: Range<Int> { firstPair..<endPair }
  }

  var routedInner = AlignedStorage()
  var sharedInner = AlignedStorage()
  var routedOut = AlignedStorage()
  var sum = AlignedStorage()
  var outputSoFar = AlignedStorage()
  var preparedRouted = PreparedRows.Memory()
  var preparedShared = PreparedRows.Memory()
  var picks = ExpertPicks()
  var guesses = ExpertPicks()
  /// Rows sorted by expert, and for each pick its place there.
  var rowsByExpert = PlainList<UInt32>()
  var pairOfPick = PlainList<Int>()
  var groups = PlainList<ExpertUse>()
  /// By group: whether the store gave the expert.
  var isGiven = PlainList<Bool>()
  var ready = PlainList<ReadyExpert>()
  var tasks = PlainList<ExpertTask>()
  var products = PlainList<Product>()
  /// For each expert the place of its next pair.
  var next = PlainList<Int>()
  private var numbers = PlainList<UInt32>()

  package init() {}

  func release() {
    routedInner.release()
    sharedInner.release()
    routedOut.release()
    sum.release()
    outputSoFar.release()
    preparedRouted.release()
    preparedShared.release()
    picks.release()
    guesses.release()
    rowsByExpert.release()
    pairOfPick.release()
    groups.release()
    isGiven.release()
    ready.release()
    tasks.release()
    products.release()
    next.release()
    numbers.release()
  }

  /// The numbers 0, 1, 2, ..., at least `count` of them.
  func consecutive(_ count: Int) -> UnsafePointer<UInt32>? {
    while numbers.count < count { numbers.append(UInt32(numbers.count)) }
    return numbers.base
  }
}
