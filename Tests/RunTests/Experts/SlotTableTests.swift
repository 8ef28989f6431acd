import Testing
import VL2Run

/// Which expert goes where a slot is needed.
@Suite struct SlotTableTests {
  @Test func policies() {
    func victim(_ policy: ReplacementPolicy) -> Int? {
      var table = SlotTable(layers: 2, experts: 4, slots: 3, policy: policy)
      for slot in 0..<3 { table.put(slot, in: slot) }
      // Expert 0 often and long ago, 1 once and lately, 2 twice.
      for pick in [0, 0, 0, 2, 2, 1] { table.use(layer: 0, [(pick, 1)], rows: 1) }
      return table.victim(where: { _, _ in true })
    }
    #expect(victim(.lru) == 0)
    #expect(victim(.lfu) == 1)
    #expect(victim(.aged) == 1)
    #expect(victim(.stale) == 0)
    // Picks have repeated, so the last one counts for more than two before it.
    #expect(victim(.likely) == 2)
    var table = SlotTable(layers: 2, experts: 4, slots: 1, policy: .lru)
    table.put(5, in: 0)
    table.put(6, in: 0)
    #expect(table.slot(of: 5) == nil && table.slot(of: 6) == 0 && table.expert(in: 0) == 6)
    #expect(table.victim(where: { _, expert in expert != 6 }) == nil)
  }
}
