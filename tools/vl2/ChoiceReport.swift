import VL2Run

/// What `vl2 ask --choices --json` prints.
struct ChoiceReport: Encodable {
  struct Choice: Encodable {
    var text: String
    var probability: Double
  }

  /// Under `--each`, the picture that was asked about.
  var picture: String?
  /// The likeliest choice; null if none is likely enough.
  var choice: String?
  /// All choices, the likeliest first.
  var choices: [Choice]
  var promptTokens: Int
  var tiles: Int
  var seconds: Double

  enum CodingKeys: CodingKey { case picture, choice, choices, promptTokens, tiles, seconds }

  init(_ answer: Answer, leastProbability: Double, picture: String?) {
    self.picture = picture
    let scores = answer.choices
    choice = scores.best(atLeast: leastProbability)?.text
    // Six decimals, because the last digits of the logarithm depend on the machine.
    choices = scores.choices.map {
      Choice(text: $0.text, probability: ($0.probability * 1e6).rounded() / 1e6)
    }
    promptTokens = answer.counts.promptTokens
    tiles = answer.counts.tiles
    let times = answer.counts.seconds
    seconds = times.tiling + times.vision + times.prefill + times.decode
  }

  func encode(to encoder: any Encoder) throws {
    var object = encoder.container(keyedBy: CodingKeys.self)
    try object.encodeIfPresent(picture, forKey: .picture)
    // Always present, so that a reader need not guess.
    try object.encode(choice, forKey: .choice)
    try object.encode(choices, forKey: .choices)
    try object.encode(promptTokens, forKey: .promptTokens)
    try object.encode(tiles, forKey: .tiles)
    try object.encode(seconds, forKey: .seconds)
  }
}
