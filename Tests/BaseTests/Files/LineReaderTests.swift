import Foundation
import TestSupport
import Testing
import VL2Base

@Suite struct LineReaderTests {
  private func lines(_ bytes: [UInt8], longest: Int) throws -> [(LineReader.Line, [UInt8])] {
    try withTemporaryFolder { folder in
      try write(bytes, to: folder + "/text")
      let descriptor = open(folder + "/text", O_RDONLY)
      defer { close(descriptor) }
      let reader = LineReader(Descriptor(descriptor), longest: longest)
      var lines: [(LineReader.Line, [UInt8])] = []
      while true {
        var seen: [UInt8] = []
        guard let line = try reader.next(seeing: { seen += $0 }) else { return lines }
        lines.append((line, seen))
      }
    }
  }

  /// Lines of all lengths around the size of the reader's pieces.
  @Test func lengths() throws {
    let piece = 1 << 18
    for length in [0, 1, piece - 1, piece, piece + 1, 2 * piece - 1, 2 * piece, 3 * piece + 7] {
      let line = [UInt8](repeating: 0x61, count: length)
      for isEnded in [true, false] {
        let found = try lines(line + [0x0A] + line + (isEnded ? [0x0A] : []), longest: 4 * piece)
        if length == 0, !isEnded {
          #expect(found.count == 1)
          continue
        }
        #expect(found.map { $0.0.bytes } == [line, line] && found.map { $0.1 } == [line, line], "\(length)")
        #expect(found.map { $0.0.number } == [1, 2] && found.map { $0.0.offset } == [0, length + 1])
        #expect(found.map { $0.0.isEnded } == [true, isEnded] && !found.contains { $0.0.isTooLong })
      }
    }
    #expect(try lines([], longest: 9).isEmpty)
  }

  @Test func tooLong() throws {
    let found = try lines(Array("12345\n123456\n \t\n\n1234567890".utf8), longest: 5)
    #expect(found.map { $0.0.isTooLong } == [false, true, false, false, true])
    #expect(
      found.map { String(decoding: $0.0.bytes, as: UTF8.self) } == ["12345", "12345", " \t", "", "12345"])
    #expect(
      found.map { String(decoding: $0.1, as: UTF8.self) } == ["12345", "123456", " \t", "", "1234567890"])
    #expect(found.map { $0.0.isBlank } == [false, false, true, true, false])
    #expect(found.map { $0.0.isEnded } == [true, true, true, true, false])
  }

  /// A pipe that nobody writes to is not waited for any longer than is wanted.
  @Test func stops() throws {
    let pipe = Pipe()
    let reader = LineReader(Descriptor(pipe.fileHandleForReading.fileDescriptor), longest: 99)
    try pipe.fileHandleForWriting.write(contentsOf: Data("one\ntw".utf8))
    #expect(try reader.next()?.bytes == Array("one".utf8))
    var asked = 0
    let line = try reader.next(unless: {
      asked += 1
      return asked >= 2
    })
    #expect(line == nil && asked >= 2)
    try pipe.fileHandleForWriting.close()
  }
}
