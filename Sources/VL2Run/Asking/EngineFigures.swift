/// What operators of an engine watch: bytes in use, and counts since it was opened. Reading them waits for no answer; while
/// one is written they are a quarter of a second old at most, and a piece of work longer.
public struct EngineFigures: Sendable, Equatable {
  /// Bytes of conversations and pictures that are kept for later questions, and the most that are.
  public var keptBytes = 0
  public var keptLimitBytes = 0
  public var keptConversations = 0
  public var keptPictures = 0
  /// Prompts whose beginning was kept, and those that were read from the first token on.
  public var conversationHits = 0
  public var conversationMisses = 0
  /// Pictures whose rows were kept, and those that were looked at.
  public var pictureHits = 0
  public var pictureMisses = 0
  /// Bytes of conversations and encoded pictures, of the question at work too.
  public var stateBytes = 0
  /// The largest memory, in bytes, that belonged to the process alone: at the end of encoding a picture, and after rows went
  /// through the decoder.
  public var towerPeakBytes = 0
  public var decoderPeakBytes = 0
  /// Experts that layers wanted, one for each layer and pass however many rows picked it.
  public var expertsWanted = 0
  /// Threads that write tokens; nil until it is found out how many are best.
  package var writingThreads: Int?
  /// nil where the file is mapped and the system decides what stays in memory.
  public var slots: Slots?

  /// Experts under a limit of memory.
  public struct Slots: Sendable, Equatable {
    /// Bytes that everything together may take.
    public var budgetBytes = 0
    /// Slots that may be in use, and the bytes of each.
    public var count = 0
    public var bytes = 0
    /// Experts that were wanted and were in memory; that were read ahead; that were read when they were wanted.
    public var hits = 0
    public var readAhead = 0
    public var misses = 0
    /// Bytes that were read from the model's file.
    public var bytesRead = 0
    /// Seconds that computing waited for experts.
    public var secondsWaited = 0.0
  }

  init() {}

  init(_ model: Model, _ kept: ReadingCache) {
    let weights = model.weightStatistics
    keptBytes = kept.byteCount
    keptLimitBytes = kept.limit
    (keptConversations, keptPictures) = kept.keptCounts
    conversationHits = kept.lookups.conversationHits
    conversationMisses = kept.lookups.conversationMisses
    pictureHits = kept.lookups.pictureHits
    pictureMisses = kept.lookups.pictureMisses
    stateBytes = model.ledger.bytes
    towerPeakBytes = weights.towerPeakBytes
    decoderPeakBytes = weights.decoderPeakBytes
    expertsWanted = weights.expertsTouched
    writingThreads = model.decoder.writing.known
    if let count = weights.slots {
      slots = Slots(
        budgetBytes: weights.budgetBytes ?? 0, count: count, bytes: weights.slotBytes ?? 0,
        hits: weights.hits ?? 0, readAhead: weights.readAhead ?? 0, misses: weights.misses ?? 0,
        bytesRead: weights.bytesRead ?? 0, secondsWaited: weights.secondsWaited ?? 0)
    }
  }
}
