import FoundationEssentials
import VL2Base
import VL2Run

/// A benchmark's questions in a file of VLMEvalKit's: tab-separated, with pictures in base64. Gigabytes are read twice, a row
/// after the other: once to look at everything before a model is opened, once while questions are asked. What is kept of a row
/// in between is its place.
package final class BenchmarkFile: Sendable {
  /// Where an item's row is.
  package struct Place: Sendable {
    fileprivate var offset: Int
    package var line: Int
    /// Where the row is whose picture it takes; nil for its own.
    fileprivate var pictureOffset: Int?
  }

  /// A cell of no more bytes names another row, whose picture it is (VLMEvalKit, `vlmeval/dataset/image_base.py`).
  private static let longestReference = 64

  package let path: String
  package let yardstick: Yardstick
  /// One for each item, in the order of the file.
  package let places: [Place]
  /// Rows without a picture, which are not asked.
  package let withoutPicture: Int
  private let file: InputFile
  private let columns: BenchmarkColumns
  private let longestRow: Int

  /// Looks at all of the file, or at as much as the first items take.
  ///
  /// - Parameters:
  ///   - limit: items at the most; nil for all.
  ///   - longestRow: bytes of the longest row: two pictures of 70 MB in base64.
  /// - Throws: `FileError` with the line of the first row that is no item; `InputError`.
  package init(_ path: String, _ yardstick: Yardstick, limit: Int? = nil, longestRow: Int = 192 << 20) throws
  {
    self.path = path
    self.yardstick = yardstick
    self.longestRow = longestRow
    file = try InputFile(path: path)
    var reader = TSVReader(file, longestRow: longestRow)
    guard let header = try reader.next() else { throw FileError(.badData, path, "holds no rows") }
    columns = try BenchmarkColumns(header, yardstick, path: path)
    (places, withoutPicture) = try Self.places(reader, columns, path: path, most: limit ?? .max)
  }

  /// Looks at the rows behind the header.
  private static func places(
    _ reader: TSVReader, _ columns: BenchmarkColumns, path: String, most: Int
  ) throws -> ([Place], withoutPicture: Int) {
    var reader = reader
    var places: [Place] = []
    var withoutPicture = 0
    /// Rows that have a picture of their own, and items that wait for one, by the index that has it.
    var owners: [String: Int] = [:]
    var waiting: [(item: Int, index: String)] = []
    var missing: Set<String> = []
    while places.count < most || !missing.isEmpty, let row = try reader.next() {
      try columns.check(row)
      let index = String(decoding: row.cells[columns.index], as: UTF8.self)
      let reference = try picture(row, columns).reference
      if let picture = columns.picture, row.cells[picture].count > longestReference {
        owners[index] = row.offset
        missing.remove(index)
      }
      guard places.count < most else { continue }
      let sources = reference == nil ? try pictures(row, columns, path: path) : []
      guard let sources else {
        withoutPicture += 1
        continue
      }
      _ = try columns.item(row, pictures: sources)
      if let reference {
        waiting.append((places.count, reference))
        if owners[reference] == nil { missing.insert(reference) }
      }
      places.append(Place(offset: row.offset, line: row.line))
    }
    guard !places.isEmpty else {
      throw FileError(
        .badData, path,
        withoutPicture > 0 ? "no row has a picture" : "holds no rows but the names of the columns")
    }
    for (item, index) in waiting {
      guard let offset = owners[index] else {
        throw FileError(
          .badData, path, line: places[item].line,
          "image is \(UntrustedText.quoted(index)), and no row of this index has a picture",
          "a cell holds a picture in base64, or the index of the row that has it")
      }
      places[item].pictureOffset = offset
    }
    return (places, withoutPicture)
  }

  /// Reads an item.
  ///
  /// - Throws: `FileError`.
  package func item(_ place: Place) throws -> BenchmarkItem {
    guard file.isUnchanged else {
      throw FileError(.badData, path, "was changed while it was read", "begin again")
    }
    let row = try self.row(place.offset, place.line)
    let owner = try place.pictureOffset.map { try self.row($0, place.line) } ?? row
    return try columns.item(row, pictures: try Self.pictures(owner, columns, path: path) ?? [])
  }

  private func row(_ offset: Int, _ line: Int) throws -> TSVRow {
    var reader = TSVReader(file, from: offset, line: line, longestRow: longestRow)
    guard let row = try reader.next() else {
      throw FileError(.badData, path, line: line, "the row is gone", "was the file changed?")
    }
    try columns.check(row)
    return row
  }

  /// What the cell of the picture says, and the index that it names instead of a picture.
  private static func picture(
    _ row: TSVRow, _ columns: BenchmarkColumns
  ) throws -> (cell: [UInt8], reference: String?) {
    guard let place = columns.picture else { return ([], nil) }
    let cell = row.cells[place]
    return (cell, cell.count <= longestReference ? try columns.value(row, "image") : nil)
  }

  /// A row's own pictures; nil where it has none.
  private static func pictures(
    _ row: TSVRow, _ columns: BenchmarkColumns, path: String
  ) throws -> [BenchmarkItem.Source]? {
    guard columns.picture != nil else { return try paths(row, columns, path: path) }
    let cell = try picture(row, columns).cell
    guard cell.count > longestReference else { return nil }
    guard cell.first == UInt8(ascii: "[") else { return [.bytes(try decoded(cell[...], row, columns))] }
    guard let list = PythonList.pieces(of: cell) else {
      throw columns.problem(row, "image begins with [ and is no list of texts")
    }
    return try list.map { .bytes(try decoded(cell[$0], row, columns)) }
  }

  private static func decoded(
    _ cell: ArraySlice<UInt8>, _ row: TSVRow, _ columns: BenchmarkColumns
  ) throws -> [UInt8] {
    guard let data = Data(base64Encoded: Data(cell)), !data.isEmpty else {
      throw columns.problem(row, "image is not in base64", "is the cell cut short?")
    }
    return [UInt8](data)
  }

  /// Paths of `image_path`: as they are, beside the file, or where VLMEvalKit lays pictures, in `images/NAME` beside it.
  private static func paths(
    _ row: TSVRow, _ columns: BenchmarkColumns, path table: String
  ) throws -> [BenchmarkItem.Source]? {
    guard let cell = try columns.value(row, "image_path") else { return nil }
    let folder = PathText.folder(of: table)
    let begin = folder.isEmpty ? "" : folder + "/"
    var name = table.split(separator: "/").last.map(String.init) ?? table
    for ending in [".tsv", "_local"] where name.hasSuffix(ending) {
      name = String(name.dropLast(ending.count))
    }
    return try (PythonList.read(cell) ?? [cell]).map { path in
      let tried = path.hasPrefix("/") ? [path] : [begin + path, "\(begin)images/\(name)/\(path)"]
      guard !path.utf8.contains(0), let found = tried.first(where: { FileStatus($0)?.isFolder == false })
      else {
        throw FileError(
          .noInput, table, line: row.line, "\(UntrustedText.line(tried[0])): no such picture",
          "image_path is taken from the folder of the file, or from images/\(name) there")
      }
      return .path(found)
    }
  }
}
