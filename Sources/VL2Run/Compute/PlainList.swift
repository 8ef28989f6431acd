/// A list of plain values that keeps its memory when it is emptied. The memory is not reference-counted, so a
/// list that is filled and read for every token costs neither an allocation nor a retain.
package struct PlainList<Element: BitwiseCopyable>: ~Copyable {
  private var memory: UnsafeMutablePointer<Element>?
  private var capacity = 0
  package private(set) var count = 0

  package init() {}

  deinit { memory?.deallocate() }

  /// The first element; valid until the list grows.
  package var base: UnsafePointer<Element>? { memory.map { UnsafePointer($0) } }

  package subscript(place: Int) -> Element {
    get {
      precondition(place >= 0 && place < count)
      return memory.unsafelyUnwrapped[place]
    }
    set {
      precondition(place >= 0 && place < count)
      memory.unsafelyUnwrapped[place] = newValue
    }
  }

  package mutating func append(_ element: Element) {
    makeRoom(count + 1)
    memory.unsafelyUnwrapped[count] = element
    count += 1
  }

  /// Makes the list `count` elements of the same value, whatever it held.
  package mutating func fill(_ element: Element, count: Int) {
    self.count = 0
    makeRoom(count)
    memory?.update(repeating: element, count: count)
    self.count = count
  }

  /// Empties the list and keeps its memory.
  package mutating func removeAll() { count = 0 }

  /// Empties the list and frees its memory.
  package mutating func release() {
    memory?.deallocate()
    memory = nil
    (capacity, count) = (0, 0)
  }

  /// The elements; valid until the list changes.
  package var elements: UnsafeBufferPointer<Element> { .init(start: memory, count: count) }

  /// The elements, to be changed in place; valid until the list grows.
  package var mutableElements: UnsafeMutableBufferPointer<Element> { .init(start: memory, count: count) }

  private mutating func makeRoom(_ needed: Int) {
    if needed <= capacity { return }
    let room = max(needed, 2 * capacity, 8)
    let new = UnsafeMutablePointer<Element>.allocate(capacity: room)
    if let memory {
      new.update(from: memory, count: count)
      memory.deallocate()
    }
    (memory, capacity) = (new, room)
  }
}
