import VL2Base

/// The last lines that were told, for clients that come back, and how many there were. What is older is let go of.
struct LiveLines {
  private struct Line {
    let number: Int
    let bytes: [UInt8]
  }

  private let mostLines: Int
  private let mostBytes: Int
  private var lines: [Line] = []
  private var bytes = 0
  /// The last one's number; they count from 1.
  private(set) var last = 0

  init(mostLines: Int, mostBytes: Int) {
    self.mostLines = mostLines
    self.mostBytes = mostBytes
  }

  /// Adds a line, which `make` makes with its number, and returns it.
  mutating func add(_ make: (_ number: Int) -> [UInt8]) -> [UInt8] {
    last += 1
    let line = Line(number: last, bytes: make(last))
    lines.append(line)
    bytes += line.bytes.count
    while let first = lines.first, lines.count > mostLines || bytes > mostBytes {
      bytes -= first.bytes.count
      lines.removeFirst()
    }
    return line.bytes
  }

  /// The lines after one, and how many of them are no longer there.
  func after(_ number: Int) -> (missed: Int, bytes: [UInt8]) {
    let first = lines.first?.number ?? last + 1
    let there = lines.filter { $0.number > number }
    return (max(0, first - number - 1), there.flatMap(\.bytes))
  }
}
