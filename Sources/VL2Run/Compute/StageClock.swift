/// Measures where time goes: what a model's own thread spends in each stage, including waiting for the other
/// threads.
///
/// A stage lasts until the next one is entered. Without a clock, entering a stage is a comparison with nil.
package final class StageClock {
  /// What the tower and the decoder do, in the order in which a row goes through it.
  package enum Stage: Int, CaseIterable, Sendable {
    case patches, norm, quantize, queries, positions, attention, absorbed, output, router, inner, activation,
      down, sum
    case projector, head, pick, other

    package var title: String {
      switch self {
      case .patches: "patches"
      case .norm: "norms"
      case .quantize: "rows to int8"
      case .queries: "queries, keys, values"
      case .positions: "rotary, cache"
      case .attention: "attention"
      case .absorbed: "products with latents"
      case .output: "attention's output"
      case .router: "router"
      case .inner: "gate and up"
      case .activation: "activation"
      case .down: "down"
      case .sum: "sums"
      case .projector: "projector"
      case .head: "head"
      case .pick: "picking a token"
      case .other: "all else"
      }
    }
  }

  /// What was counted in a stage.
  package struct Sum: Sendable, Equatable {
    package var seconds = 0.0
    /// How often all threads were given work, and the seconds that this one then waited for the others.
    package var jobs = 0
    package var secondsWaited = 0.0
    /// Bytes of packed matrices that products read; a matrix counts once for each product.
    package var bytes = 0
    /// Multiply-adds with weights.
    package var products = 0.0
  }

  private var sums = [Sum](repeating: Sum(), count: Stage.allCases.count)
  private var stage = Stage.other
  private var since = ContinuousClock.now

  package init() {}

  /// - Returns: the stage that this one ends.
  @discardableResult package func enter(_ next: Stage) -> Stage {
    let now = ContinuousClock.now
    change { $0.seconds += (now - since).seconds }
    since = now
    defer { stage = next }
    return stage
  }

  package func countJob(waited: Duration) {
    change {
      $0.jobs += 1
      $0.secondsWaited += waited.seconds
    }
  }

  package func count(bytes: Int, products: Double) {
    change {
      $0.bytes += bytes
      $0.products += products
    }
  }

  /// What was counted since the last call, for each stage that was entered.
  package func take() -> [(stage: Stage, sum: Sum)] {
    enter(.other)
    defer { for place in sums.indices { sums[place] = Sum() } }
    return zip(Stage.allCases, sums).filter { $1 != Sum() }.map { ($0, $1) }
  }

  private func change(_ body: (inout Sum) -> Void) { body(&sums[stage.rawValue]) }
}

extension Duration {
  fileprivate var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
