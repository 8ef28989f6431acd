/// Experts to prefetch: those that later layers will probably want, likeliest first. A new list for a layer
/// replaces its old one, because it was made nearer to that layer.
///
/// An expert is known by its id, layer * experts + number.
struct PrefetchList {
  private var idsOfLayer: [[Int]]
  /// By id.
  private var isListed: [Bool]
  /// The layer from which on all lists are empty.
  private var end = 0
  /// The layer that will want nearly all of its list, as those of a prompt do.
  private(set) var certainLayer: Int?

  init(layers: Int, experts: Int) {
    idsOfLayer = .init(repeating: [], count: layers)
    isListed = .init(repeating: false, count: layers * experts)
  }

  func contains(_ id: Int) -> Bool { isListed[id] }

  /// All lists, that of the nearest layer first.
  var nearestFirst: some Sequence<Int> { idsOfLayer[..<end].lazy.joined() }

  /// Sets the list of a layer.
  ///
  /// - Returns: its list before.
  mutating func replace(_ ids: [Int], of layer: Int, certain: Bool) -> [Int] {
    let before = remove(layer)
    idsOfLayer[layer] = ids
    for id in ids { isListed[id] = true }
    end = max(end, layer + 1)
    if certain { certainLayer = layer }
    return before
  }

  /// Empties the list of a layer.
  ///
  /// - Returns: what it was.
  @discardableResult
  mutating func remove(_ layer: Int) -> [Int] {
    let ids = idsOfLayer[layer]
    for id in ids { isListed[id] = false }
    idsOfLayer[layer] = []
    if certainLayer == layer { certainLayer = nil }
    if end == layer + 1 { end = idsOfLayer.lastIndex { !$0.isEmpty }.map { $0 + 1 } ?? 0 }
    return ids
  }

  mutating func removeAll() { for layer in 0..<end { remove(layer) } }
}
