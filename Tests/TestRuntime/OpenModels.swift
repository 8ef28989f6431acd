import TestModels
import TestSupport
import VL2Quant
import VL2Run

extension PackedModels {
  /// A packed golden checkpoint, opened by the runtime.
  package static func open(
    _ checkpoint: String, _ weights: WeightCode, activations: ActivationMode = .int8, threads: Int = 2
  ) throws -> Model {
    try Model(
      path: try path(checkpoint, weights),
      options: RuntimeOptions(threads: threads, activations: activations))
  }
}

extension Model {
  /// The tokens of an answer about golden pictures.
  package func answer(pictures: [String] = ["wide.jpg"], tokens: Int = 12) throws -> [Int] {
    try answer(
      Question(
        "What is in the picture?",
        pictures: try pictures.map { try Picture(contentsOf: Fixtures.path("golden/images/" + $0)) },
        maxTokens: tokens)
    ).tokens
  }
}

/// A golden picture.
package func golden(_ picture: String) throws -> Picture {
  try Picture(contentsOf: Fixtures.path("golden/images/" + picture))
}
