/// Where a model's weights were and what reading them took, since the model was opened.
package struct WeightStatistics: Sendable, Encodable {
  /// Bytes that everything together may take; nil where the file is mapped.
  package var budgetBytes: Int?
  /// Slots for experts and the bytes of each; nil where the file is mapped.
  package var slots: Int?
  package var slotBytes: Int?
  /// Experts that layers wanted, one for each layer and pass however many rows picked it.
  package var expertsTouched = 0
  /// Of those: in memory already; prefetched; read when they were wanted. Nil where the file is mapped,
  /// because nobody knows then.
  package var hits: Int?
  package var readAhead: Int?
  package var misses: Int?
  /// Experts guessed for single tokens, and how many of the guesses were right.
  package var guesses: Int?
  package var rightGuesses: Int?
  /// Bytes read from the file, without the embedding's rows.
  package var bytesRead: Int?
  /// Seconds that computing waited for experts.
  package var secondsWaited: Double?
  /// Seconds that checksums took, on any thread.
  package var checkSeconds = 0.0
  /// The largest memory, in bytes, that belongs to the process alone: at the end of encoding a picture, and
  /// after rows went through the decoder.
  package var towerPeakBytes = 0
  package var decoderPeakBytes = 0

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
