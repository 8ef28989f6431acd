import Glibc
import VL2Base
import VL2Console
import VL2Measure
import VL2Run

/// `vl2 eval --perplexity`: how well a model foresees a text, and how near it is to a reference on it.
struct MeasureText {
  var model: Model
  /// nil where the model is measured alone.
  var reference: Model?
  /// A file of UTF-8 text.
  var text: String
  /// Tokens of a window.
  var window: Int
  /// The most windows.
  var limit: Int?

  /// Measures, with a status line on a terminal.
  func run() throws -> Report {
    let perplexity = try TextPerplexity(model, reference: reference, window: window)
    let windows = try perplexity.windows(ofTextAt: text).prefix(limit ?? .max)
    var report = Report(window: window, against: reference?.file.path)
    let status = StatusLine()
    defer { status.clear() }
    let begin = ContinuousClock.now
    for (done, tokens) in windows.enumerated() {
      status.show(Double(done) / Double(windows.count), "\(done) of \(windows.count) windows")
      report.append(try perplexity.measure(tokens))
    }
    report.seconds = (ContinuousClock.now - begin) / .seconds(1)
    return report
  }
}

extension MeasureText {
  /// What is printed.
  struct Report {
    let window: Int
    let against: String?
    var seconds = 0.0
    private var likelihood = ClusteredMean()
    private var referenceLikelihood = ClusteredMean()
    private var divergence = ClusteredMean()
    private var largest = 0.0
    private var agreeing = 0

    init(window: Int, against: String?) { (self.window, self.against) = (window, against) }

    mutating func append(_ part: TextPerplexity.Window) {
      likelihood.append(sum: part.negativeLogLikelihood, count: part.tokens)
      referenceLikelihood.append(sum: part.referenceLikelihood, count: part.tokens)
      divergence.append(sum: part.divergence, count: part.tokens)
      largest = max(largest, part.largestDivergence)
      agreeing += part.agreeing
    }

    private var agreement: Double { Double(agreeing) / Double(max(1, likelihood.count)) }

    var text: String {
      func perplexity(_ mean: ClusteredMean) -> String {
        let error = mean.standardError.map { " ± \(NumberText.fixed($0 * exp(mean.mean), 3))" } ?? ""
        return NumberText.fixed(exp(mean.mean), 3) + error
      }
      var table = TextTable(alignment: "ll")
      table.append(["tokens", "\(likelihood.count) in \(likelihood.clusters) windows of up to \(window)"])
      let error = likelihood.standardError.map { " ± \(NumberText.fixed($0, 5))" } ?? ""
      table.append([
        "negative log likelihood", "\(NumberText.fixed(likelihood.mean, 5))\(error) nats a token",
      ])
      table.append(["perplexity", perplexity(likelihood)])
      guard against != nil else { return table.text }
      table.append(["the reference's", perplexity(referenceLikelihood)])
      let sure = divergence.interval.map {
        "95 %: \(NumberText.fixed(max(0, $0.lowerBound), 5)) to \(NumberText.fixed($0.upperBound, 5)), "
      }
      table.append([
        "mean KL",
        "\(NumberText.fixed(divergence.mean, 5)) nats a token (\(sure ?? "")largest \(NumberText.fixed(largest, 4)))",
      ])
      table.append([
        "top-token agreement", "\(NumberText.percent(agreement, 2)) of \(likelihood.count) tokens",
      ])
      return table.text
    }
  }
}

extension MeasureText.Report: Encodable {
  private struct Values: Encodable {
    struct Against: Encodable {
      var model: String
      var perplexity: Double
      var meanKL: Double
      /// The interval's bounds; none where there is one window alone.
      var meanKLLow: Double?
      var meanKLHigh: Double?
      var largestKL: Double
      var topTokenAgreement: Double

      enum CodingKeys: String, CodingKey {
        case model, perplexity
        case meanKL = "mean_kl"
        case meanKLLow = "mean_kl_low"
        case meanKLHigh = "mean_kl_high"
        case largestKL = "largest_kl"
        case topTokenAgreement = "top_token_agreement"
      }
    }

    var tokens: Int
    var window: Int
    var windows: Int
    var negativeLogLikelihood: Double
    var negativeLogLikelihoodError: Double?
    var perplexity: Double
    var perplexityError: Double?
    var seconds: Double
    var against: Against?
  }

  func encode(to encoder: any Encoder) throws {
    let perplexity = exp(likelihood.mean)
    let interval = divergence.interval
    try Values(
      tokens: likelihood.count, window: window, windows: likelihood.clusters,
      negativeLogLikelihood: likelihood.mean, negativeLogLikelihoodError: likelihood.standardError,
      perplexity: perplexity, perplexityError: likelihood.standardError.map { $0 * perplexity },
      seconds: seconds,
      against: against.map {
        Values.Against(
          model: $0, perplexity: exp(referenceLikelihood.mean), meanKL: divergence.mean,
          meanKLLow: interval.map { max(0, $0.lowerBound) }, meanKLHigh: interval?.upperBound,
          largestKL: largest, topTokenAgreement: agreement)
      }
    ).encode(to: encoder)
  }
}
