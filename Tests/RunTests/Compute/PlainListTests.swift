import Testing
import VL2Run

@Suite struct PlainListTests {
  @Test func growsAndKeepsWhatItHolds() {
    var list = PlainList<Int>()
    #expect(list.count == 0 && list.elements.isEmpty && list.base == nil)
    for number in 0..<1000 { list.append(number) }
    #expect(Array(list.elements) == Array(0..<1000))
    list[17] = -1
    list.mutableElements[18] = -2
    #expect(list[17] == -1 && list[18] == -2)
  }

  /// Emptied and filled again, it stays where it is.
  @Test func keepsItsMemory() {
    var list = PlainList<UInt32>()
    list.fill(7, count: 100)
    #expect(list.elements.allSatisfy { $0 == 7 } && list.count == 100)
    let base = list.base
    list.removeAll()
    #expect(list.count == 0 && list.elements.isEmpty)
    for number in 0..<100 { list.append(UInt32(number)) }
    #expect(list.base == base)
    list.fill(1, count: 3)
    #expect(Array(list.elements) == [1, 1, 1] && list.base == base)
    list.release()
    #expect(list.base == nil && list.count == 0)
    list.append(5)
    #expect(Array(list.elements) == [5])
  }
}
