/// Where a model's weights were and what reading them took, since the model was opened.
public struct WeightStatistics: Sendable, Encodable {
  /// Bytes that everything together may take; nil where the file is mapped.
  public var budgetBytes: Int?
  /// Slots for experts and the bytes of each; nil where the file is mapped.
  public var slots: Int?
  public var slotBytes: Int?
  /// Experts that layers wanted, one for each layer and pass however many rows picked it.
  public var expertsTouched = 0
  /// Of those: in memory already; read ahead, since they were expected; read when they were wanted. Where the file is
  /// mapped nobody knows.
  public var hits: Int?
  public var readAhead: Int?
  public var misses: Int?
  /// Experts guessed for single tokens, and how many of the guesses were right.
  public var guesses: Int?
  public var rightGuesses: Int?
  /// Bytes read from the file, the embedding's rows aside.
  public var bytesRead: Int?
  /// Seconds that computing waited for experts.
  public var secondsWaited: Double?
  /// Seconds that checksums took, on whatever thread.
  public var checkSeconds = 0.0
  /// Largest memory that belongs to the process alone at the end of encoding a picture, and of rows through the
  /// decoder, bytes.
  public var towerPeakBytes = 0
  public var decoderPeakBytes = 0

  enum CodingKeys: String, CodingKey {
    case slots, hits, misses, guesses
    case budgetBytes = "budget_bytes"
    case slotBytes = "slot_bytes"
    case expertsTouched = "experts_touched"
    case readAhead = "read_ahead"
    case rightGuesses = "right_guesses"
    case bytesRead = "bytes_read"
    case secondsWaited = "seconds_waited"
    case checkSeconds = "check_seconds"
    case towerPeakBytes = "tower_peak_bytes"
    case decoderPeakBytes = "decoder_peak_bytes"
  }
}
