import FoundationEssentials
import Glibc
import VL2Base
import VL2Run

extension ResultKind {
  /// Recorded routes.
  package static let routes = ResultKind("a trace of routes", endings: [".jsonl", ".json"]) {
    $0.starts(with: Array(#"{"expert_bytes":"#.utf8))
  }
}

// A trace is a text with one JSON object a line: first the model's shape, then a line for each layer of each
// pass.
extension RouteTrace {
  private struct Head: Codable {
    var layers, experts, kept: Int
    var expertBytes, slotBytes: Int

    enum CodingKeys: String, CodingKey {
      case layers, experts, kept
      case expertBytes = "expert_bytes"
      case slotBytes = "slot_bytes"
    }
  }

  private struct Line: Codable {
    var layer, rows: Int
    var experts: [Int]
    /// Absent if each expert has one row.
    var counts: [Int]?
    var guessed: [Int]?
  }

  /// The text of a trace's file.
  package func text() throws -> Data {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    var text = try encoder.encode(
      Head(
        layers: layers, experts: experts, kept: expertsPerToken, expertBytes: expertBytes,
        slotBytes: slotBytes))
    for step in steps {
      text.append(0x0A)
      text.append(
        try encoder.encode(
          Line(
            layer: step.layer, rows: step.rows, experts: step.experts,
            counts: step.rows == 1 ? nil : step.counts,
            guessed: step.guessed.isEmpty ? nil : step.guessed)))
    }
    text.append(0x0A)
    return text
  }

  /// Reads a trace's file.
  ///
  /// - Throws: `FileError` for a file that is missing or has impossible values.
  package init(contentsOf path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw FileError(.noInput, path, "no such file, or not readable", "give a file of \(.routes)")
    }
    let lines = data.split(separator: 0x0A)
    let decoder = JSONDecoder()
    guard let first = lines.first, let head = try? decoder.decode(Head.self, from: first),
      (1...4096).contains(head.layers), (1...65536).contains(head.experts),
      (1...head.experts).contains(head.kept),
      (1...(1 << 40)).contains(head.expertBytes), (1...(1 << 40)).contains(head.slotBytes)
    else { throw FileError(.badData, path, "is no trace of routes", "give a file of \(.routes)") }
    self.init(
      layers: head.layers, experts: head.experts, expertsPerToken: head.kept, expertBytes: head.expertBytes,
      slotBytes: head.slotBytes)
    for (number, text) in lines.enumerated().dropFirst() {
      guard let line = try? decoder.decode(Line.self, from: text) else {
        throw FileError(.badData, path, line: number + 1, "is damaged", "record the trace again")
      }
      let step = Step(
        layer: line.layer, rows: line.rows, experts: line.experts,
        counts: line.counts ?? line.experts.map { _ in 1 }, guessed: line.guessed ?? [])
      guard (0..<layers).contains(step.layer), (1...(1 << 24)).contains(step.rows),
        step.counts.count == step.experts.count, step.counts.allSatisfy({ (1...step.rows).contains($0) }),
        [step.experts, step.guessed].allSatisfy({ isAscending($0) })
      else {
        throw FileError(.badData, path, line: number + 1, "says what cannot be", "record the trace again")
      }
      steps.append(step)
    }
  }

  private func isAscending(_ ids: [Int]) -> Bool {
    ids.allSatisfy { (0..<experts).contains($0) } && zip(ids, ids.dropFirst()).allSatisfy { $0 < $1 }
  }
}

extension Model {
  /// Writes which experts were used since the model was opened, if `RuntimeOptions.recordsRoutes` asked for
  /// it.
  ///
  /// - Throws: `OutputError` if the file cannot be written.
  package func writeRoutes(to file: OutputFile) throws {
    if let text = try routes?.text() { try file.write(text) }
  }
}
