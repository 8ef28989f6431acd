/// Experts that layers to come will probably want, likeliest first. A layer that is told of again is expected anew:
/// who looks from nearer sees better.
///
/// An expert is known by its id, layer * experts + number.
struct Expectations {
  private var idsOfLayer: [[Int]]
  /// By id.
  private var expected: [Bool]
  /// Layers from which on nothing is expected.
  private var end = 0
  /// The layer that will want nearly all of what is expected of it, as those of a prompt do.
  private(set) var certainLayer: Int?

  init(layers: Int, experts: Int) {
    idsOfLayer = .init(repeating: [], count: layers)
    expected = .init(repeating: false, count: layers * experts)
  }

  func contains(_ id: Int) -> Bool { expected[id] }

  /// All that is expected, of the nearest layer first.
  var nearestFirst: some Sequence<Int> { idsOfLayer[..<end].lazy.joined() }

  /// Expects experts of a layer.
  ///
  /// - Returns: those that were expected of it before.
  mutating func expect(_ ids: [Int], of layer: Int, certain: Bool) -> [Int] {
    let before = forget(layer)
    idsOfLayer[layer] = ids
    for id in ids { expected[id] = true }
    end = max(end, layer + 1)
    if certain { certainLayer = layer }
    return before
  }

  /// Expects nothing of a layer any more.
  ///
  /// - Returns: what was expected of it.
  @discardableResult
  mutating func forget(_ layer: Int) -> [Int] {
    let ids = idsOfLayer[layer]
    for id in ids { expected[id] = false }
    idsOfLayer[layer] = []
    if certainLayer == layer { certainLayer = nil }
    if end == layer + 1 { end = idsOfLayer.lastIndex { !$0.isEmpty }.map { $0 + 1 } ?? 0 }
    return ids
  }

  mutating func forgetAll() { for layer in 0..<end { forget(layer) } }
}
