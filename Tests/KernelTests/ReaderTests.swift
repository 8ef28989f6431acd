import SIMDKernels
import Testing

/// Ways of reading memory: each reads all of it, and nothing else.
@Suite struct ReaderTests {
  @Test func sums() throws {
    let most = 5 * 1024
    let memory = UnsafeMutableRawPointer.allocate(byteCount: most + 64, alignment: 64)
    defer { memory.deallocate() }
    let words = memory.assumingMemoryBound(to: UInt64.self)
    for bytes in [0, 1024, 2048, most] {
      var expected: UInt64 = 0
      for i in 0..<(most + 64) / 8 {
        words[i] = UInt64(i &+ 1) &* 0x9E37_79B9_7F4A_7C15
        if i < bytes / 8 { expected &+= words[i] }
      }
      var index = 0
      while let reader = vl2_reader_at(index) {
        let name = String(cString: reader.pointee.name)
        #expect(
          reader.pointee.read(memory.assumingMemoryBound(to: UInt8.self), bytes) == expected,
          "\(name), \(bytes)")
        index += 1
      }
      #expect(index >= 4)
    }
  }
}
