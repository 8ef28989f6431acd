import VL2Base
import VL2Run

extension [TokenProbability] {
  /// A list of tokens with the logarithms of their probabilities.
  var openAI: JSONValue {
    func told(_ candidate: TokenProbability.Candidate) -> JSONValue {
      [
        "token": .text(String(decoding: candidate.bytes, as: UTF8.self)),
        "logprob": .real(Swift.min(0, Swift.max(candidate.logProbability, -9999))),
        "bytes": .array(candidate.bytes.map { .integer(Int($0)) }),
      ]
    }
    return .array(
      map { token in
        var value = told(token.written)
        value.append("top_logprobs", .array(token.likeliest.map(told)))
        return value
      })
  }
}
