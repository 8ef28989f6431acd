import Glibc
import VL2Base

extension ResultKind {
  package static let statistics = ResultKind(
    "statistics", endings: [".safetensors"], sharesEndings: true
  ) { bytes in
    // Behind the length of the header.
    bytes.dropFirst(8).starts(with: Array(#"{"__metadata__":{"format":"\#(CalibrationFile.format)""#.utf8))
  }
}

/// The statistics' file: a safetensors file. For each input, under the name of its first matrix, F64 [2, columns]: the sums
/// of squares over the rows of pictures, then of text; and under that name with `.rows`, I64 [2]: how many rows these
/// are. All else stands under `__metadata__`.
package enum CalibrationFile {
  package static let format = "vl2-calibration"
  private static let version = "1"
  private static let rowsEnding = ".rows"

  /// Writes the file whole or not at all.
  ///
  /// - Throws: `OutputError`.
  package static func write(_ statistics: CalibrationStatistics, to path: String) throws {
    let temporary = "\(path).\(getpid()).new"
    do {
      var tensors: [(name: String, element: SafetensorsWriter.Element, shape: [Int])] = []
      for input in statistics.inputs.inputs {
        tensors.append((input.name, .f64, [2, input.columns]))
        tensors.append((input.name + rowsEnding, .i64, [2]))
      }
      let writer = try SafetensorsWriter(
        path: temporary, tensors: tensors, replacing: true,
        metadata: [
          ("format", format), ("version", version), ("model", statistics.model),
          ("layout", statistics.layoutHash), ("vectors", statistics.vectorsHash),
          ("runs", "[\(statistics.runs.map(\.encoded).joined(separator: ","))]"),
        ])
      for sums in statistics.sums {
        try sums.squares.withUnsafeBytes { try writer.append($0) }
        try sums.rows.map { Int64($0) }.withUnsafeBytes { try writer.append($0) }
      }
      try writer.finish()
      guard rename(temporary, path) == 0 else { throw OutputError(path, errno) }
    } catch {
      unlink(temporary)
      throw error
    }
  }

  /// Reads a file for a model and checks it completely.
  ///
  /// - Parameter partial: whether collecting may have been interrupted.
  /// - Throws: `InputError`, `CheckpointError` for what is no whole safetensors file, `CalibrationError`.
  package static func read(
    _ path: String, for model: CalibratedModel, partial: Bool = false
  ) throws -> CalibrationStatistics {
    let file = try InputFile(path: path)
    let header = try SafetensorsHeader(of: file)
    func invalid(_ problem: String) -> CalibrationError { .invalid(path: path, problem: problem) }
    guard header.metadata["format"] == format else { throw invalid("it does not say that it is \(format)") }
    guard header.metadata["version"] == version else {
      throw invalid(
        "its version is \(UntrustedText.quoted(header.metadata["version"] ?? "")), not \(version)")
    }
    let name = header.metadata["model"] ?? ""
    let tensors = Dictionary(uniqueKeysWithValues: try unique(header.tensors, invalid).map { ($0.name, $0) })
    if header.metadata["layout"] != model.layoutHash {
      throw CalibrationError.otherModel(
        path: path,
        problem: "\(UntrustedText.quoted(name)) has other tensors than \(UntrustedText.quoted(model.name))")
    }
    if header.metadata["vectors"] != model.vectorsHash {
      throw CalibrationError.otherModel(
        path: path,
        problem: "\(UntrustedText.quoted(name)) has other weights than \(UntrustedText.quoted(model.name))")
    }
    let runs = try runs(header.metadata["runs"] ?? "", invalid)
    if !partial, let run = runs.first(where: { !$0.isComplete }) {
      throw CalibrationError.incomplete(path: path, done: run.done, prompts: run.prompts)
    }
    let known = Set(model.inputs.inputs.flatMap { [$0.name, $0.name + rowsEnding] })
    if let unknown = header.tensors.first(where: { !known.contains($0.name) }) {
      throw invalid("\(UntrustedText.quoted(unknown.name)) is no input of the model")
    }
    // Sizes first: nothing is read of a file that does not fit.
    for input in model.inputs.inputs {
      for (name, type, shape) in [
        (input.name, "F64", [2, input.columns]), (input.name + rowsEnding, "I64", [2]),
      ] {
        guard let tensor = tensors[name] else { throw invalid("\(name) is missing") }
        guard tensor.type.name == type, tensor.shape == shape else {
          throw invalid(
            "\(name) is \(UntrustedText.quoted(tensor.type.name)) \(tensor.shape), not \(type) \(shape)")
        }
      }
    }
    let sums = try model.inputs.inputs.map { input in
      try Self.sums(of: input, tensors, file, invalid)
    }
    guard sums.contains(where: { $0.allRows > 0 }) || partial else { throw invalid("no row was counted") }
    return CalibrationStatistics(model, name: name, runs: runs, sums: sums)
  }

  private static func sums(
    of input: MatrixInputs.Input, _ tensors: [String: SafetensorsHeader.Tensor], _ file: InputFile,
    _ invalid: (String) -> CalibrationError
  ) throws -> CalibrationStatistics.Sums {
    var sums = CalibrationStatistics.Sums(columns: input.columns)
    guard let squares = tensors[input.name], let rows = tensors[input.name + rowsEnding] else { return sums }
    try sums.squares.withUnsafeMutableBytes { try file.read(into: $0, at: squares.range.lowerBound) }
    try sums.rows.withUnsafeMutableBytes { try file.read(into: $0, at: rows.range.lowerBound) }
    for kind in CalibrationStatistics.Kind.allCases {
      let count = sums.rows[kind.rawValue]
      guard (0...1 << 53).contains(count) else {
        throw invalid("\(input.name) counts \(count) rows of \(kind)")
      }
      for (column, value) in zip(0..., sums.squares(kind)) where !(value.isFinite && value >= 0) {
        throw invalid("\(input.name) has \(value) in column \(column) of \(kind)")
      }
      if count == 0, sums.squares(kind).contains(where: { $0 > 0 }) {
        throw invalid("\(input.name) has sums of \(kind), but no rows of it")
      }
    }
    return sums
  }

  private static func unique(
    _ tensors: [SafetensorsHeader.Tensor], _ invalid: (String) -> CalibrationError
  ) throws -> [SafetensorsHeader.Tensor] {
    var seen: Set<String> = []
    for tensor in tensors where !seen.insert(tensor.name).inserted {
      throw invalid("\(UntrustedText.quoted(tensor.name)) stands there twice")
    }
    return tensors
  }

  private static func runs(
    _ text: String, _ invalid: (String) -> CalibrationError
  ) throws -> [CalibrationRun] {
    guard case .array(let elements)? = try? JSONReader.read(Array(text.utf8), writer: .program),
      !elements.isEmpty
    else { throw invalid("it does not say which runs it is of") }
    do {
      return try elements.map { try CalibrationRun(try ManifestObject($0) { "runs" }) }
    } catch let failure as ManifestFailure {
      throw invalid("it " + failure.problem)
    }
  }

  /// SHA-256 of a file of statistics, as a packed file names it.
  package static func hash(_ path: String) throws -> String {
    let file = try InputFile(path: path)
    let hash = SHA256()
    for first in stride(from: 0, to: file.length, by: 1 << 22) {
      try file.bytes(first..<min(file.length, first + 1 << 22)).withUnsafeBytes { hash.append($0) }
    }
    return hash.finish()
  }
}
