/// Receives the outputs of a model's stages, for comparison with a reference.
///
/// Stages are named as the reference names them: "vision.embed", "vision.block.0", "vision.out",
/// "projector.out", "embed", "layer.0", "route.1.experts", "route.1.weights", "logits".
package protocol StageObserver: AnyObject {
  /// Rows of a stage; a stage that is computed in parts is observed several times, in order.
  func observe(_ stage: String, _ rows: Rows)
  /// Ids of the experts picked for each row, best first, and the weight of each.
  func observeRoutes(layer: Int, experts: [Int32], weights: [Float], perRow: Int)
}
