import VL2Base

/// A row of a table: what its cells say, and where it stands.
struct TSVRow {
  /// The line of the file in which it begins, counted from 1.
  var line: Int
  /// Where its first byte is.
  var offset: Int
  var cells: [[UInt8]]
}

/// The rows of a table of tab-separated values, one after the other, in memory that grows with a row, not with the file.
///
/// It reads what pandas writes and as pandas reads it: a cell that begins with a quotation mark goes on to the next one that
/// is not doubled, tabs and line ends included; what follows up to the tab belongs to it too; blank lines are no rows.
struct TSVReader {
  private let file: InputFile
  private let longestRow: Int
  private var chunk: [UInt8] = []
  /// Where `chunk` begins in the file.
  private var base: Int
  private var place = 0
  private var line: Int

  /// - Parameters:
  ///   - offset: where a row begins.
  ///   - line: the line of the file that this is.
  ///   - longestRow: rows of more bytes are refused.
  init(_ file: InputFile, from offset: Int = 0, line: Int = 1, longestRow: Int) {
    self.file = file
    self.longestRow = longestRow
    base = offset
    self.line = line
  }

  /// The next row; nil at the end.
  ///
  /// - Throws: `FileError` with the row's line for one that is too long, not ended or holds a zero byte, `InputError`.
  mutating func next() throws -> TSVRow? {
    while true {
      guard let row = try read() else { return nil }
      if row.cells.count > 1 || row.cells.first?.isEmpty == false { return row }
    }
  }

  private mutating func read() throws -> TSVRow? {
    guard try peek() != nil else { return nil }
    let begin = base + place
    var row = TSVRow(line: line, offset: begin, cells: [])
    var cell: [UInt8] = []
    var (isQuoted, isBegun) = (false, false)
    while true {
      if base + place - begin > longestRow {
        throw problem(row, "the row is over \(longestRow) bytes", "is a quotation mark missing before it?")
      }
      guard let byte = try peek() else {
        if isQuoted { throw problem(row, "a cell's quotation mark is not closed") }
        break
      }
      if isQuoted {
        try takePlain(into: &cell, until: { $0 == quotationMark || $0 == lineFeed })
        guard let end = try peek() else { continue }
        place += 1
        if end == lineFeed {
          line += 1
          cell.append(end)
        } else if try peek() == quotationMark {
          place += 1
          cell.append(end)
        } else {
          isQuoted = false
        }
        continue
      }
      if byte == quotationMark, !isBegun {
        (isQuoted, isBegun) = (true, true)
        place += 1
        continue
      }
      if byte == tab {
        place += 1
        row.cells.append(cell)
        (cell, isBegun) = ([], false)
        continue
      }
      if byte == lineFeed { break }
      isBegun = true
      try takePlain(into: &cell, until: { $0 == tab || $0 == lineFeed })
    }
    if try peek() == lineFeed {
      place += 1
      line += 1
      if cell.last == carriageReturn { cell.removeLast() }
    }
    row.cells.append(cell)
    if row.cells.contains(where: { $0.contains(0) }) {
      throw problem(row, "the row holds a zero byte", "is the file damaged, or in UTF-16? UTF-8 is read")
    }
    return row
  }

  /// Appends what stands before the next byte that ends it, of what was read from the file so far.
  private mutating func takePlain(into cell: inout [UInt8], until isEnd: (UInt8) -> Bool) throws {
    guard try peek() != nil else { return }
    let end = chunk[place...].firstIndex(where: isEnd) ?? chunk.count
    cell += chunk[place..<end]
    place = end
  }

  /// The next byte; nil at the end of the file.
  private mutating func peek() throws -> UInt8? {
    if place == chunk.count {
      base += chunk.count
      place = 0
      chunk = try file.bytes(base..<min(file.length, base + 1 << 20))
    }
    return place < chunk.count ? chunk[place] : nil
  }

  private func problem(_ row: TSVRow, _ text: String, _ hint: Hint = .none) -> FileError {
    FileError(.badData, file.path, line: row.line, text, hint)
  }
}

private let tab = UInt8(ascii: "\t")
private let lineFeed = UInt8(ascii: "\n")
private let carriageReturn = UInt8(ascii: "\r")
private let quotationMark = UInt8(ascii: "\"")
