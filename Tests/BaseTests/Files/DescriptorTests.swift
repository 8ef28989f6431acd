import Glibc
import TestSupport
import Testing
import VL2Base

@Suite struct DescriptorTests {
  /// A pipe takes and gives less at a time than is asked of it.
  @Test func pipes() throws {
    var ends: [Int32] = [-1, -1]
    #expect(pipe(&ends) == 0)
    let (reading, writing) = (Descriptor(ends[0]), Descriptor(ends[1]))
    let text = String(repeating: "Bücher\n", count: 100_000)
    try SystemThread.start("vl2-test-writer") {
      try? writing.write(text)
      close(writing.number)
    }
    #expect(try reading.bytes(atMost: 10) == Array(text.utf8.prefix(10)))
    #expect(try reading.bytes(atMost: 1 << 30) == Array(text.utf8.dropFirst(10)))
    #expect(try reading.bytes(atMost: 1).isEmpty)
    close(reading.number)
  }

  @Test func refusals() {
    let none = Descriptor(-1)
    #expect((thrown { _ = try none.bytes(atMost: 1) } as? Descriptor.Failure)?.number == EBADF)
    #expect((thrown { try none.write("a") } as? Descriptor.Failure)?.number == EBADF)
    let full = Descriptor(open("/dev/full", O_WRONLY))
    #expect((thrown { try full.write("a") } as? Descriptor.Failure)?.number == ENOSPC)
    close(full.number)
  }
}
