import ArgumentParser
import Glibc
import VL2Base
import VL2Console
import VL2Quant

/// `vl2-convert inspect`.
struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows what a packed file holds: parts, codes, sizes, measured errors and where it came from.",
    discussion: """
      With --recipe, prints the rules that chose the codes, as pack --recipe takes them; without a FILE those that pack \
      uses by itself:

        vl2-convert inspect --recipe > recipe.json
      """)

  @Argument(help: "The packed file.", completion: .file(extensions: ["vl2q"]))
  var file: String?

  @Flag(help: "Print one JSON object, with every section and tensor.")
  var json = false

  @Flag(help: "Print the recipe alone.")
  var recipe = false

  func validate() throws {
    if json, recipe { throw ValidationError("--json and --recipe print different things: give one of them") }
    if file == nil, !recipe {
      throw ValidationError("No packed file given: name one, or ask for the default --recipe.")
    }
  }

  func run() throws {
    guard let file else { return Console.write(Recipe(matrices: .q4).json) }
    if recipe {
      return Console.write(JSONOutput.escaped(Recipe(rules: try PackedFile(path: file).manifest.recipe).json))
    }
    let summary = try PackedFileSummary(try PackedFile(path: file))
    Console.write(
      json ? try JSONOutput.text(summary, .indented) : Self.lines(of: summary).map { $0 + "\n" }.joined())
  }

  private static func lines(of summary: PackedFileSummary) -> [String] {
    let origin = summary.origin
    var lines = [
      "\(summary.file): \(ByteSize(bytes: summary.bytes)), \(NumberText.grouped(summary.weights)) weights, "
        + "format \(summary.formatVersion)",
      "from \(UntrustedText.line(origin.source))\(origin.base.map { " on " + UntrustedText.line($0) } ?? "") by "
        + UntrustedText.line(origin.tool),
    ]
    if let notice = origin.demonstrationNotice {
      lines.append(origin.demonstrationNote == nil ? notice : "demonstration model: \(notice)")
    }
    if let license = origin.license {
      let title = license.split(separator: "\n").first { $0.contains { !$0.isWhitespace } } ?? ""
      lines.append(
        "licence of the weights: \(UntrustedText.line(title.trimmed()))")
    }
    if let calibration = origin.calibration { lines += Self.lines(of: calibration, summary) }
    lines.append("")
    lines += parts(of: summary).lines
    lines.append("")
    lines += codes(of: summary).lines
    if !origin.files.isEmpty {
      lines.append("")
      lines += files(of: origin).lines
    }
    lines.append("")
    lines.append("recipe (the first rule that matches a matrix decides):")
    lines += summary.recipe.map { "  \(UntrustedText.line($0.pattern)) \($0.code.rawValue)" }
    if !origin.leftOut.isEmpty {
      lines.append("left out, as no forward pass uses them:")
      lines += origin.leftOut.map { "  " + UntrustedText.line($0) }
    }
    return lines
  }

  /// What the scales were chosen by, and of what too little was known.
  private static func lines(
    of calibration: Manifest.Origin.Statistics, _ summary: PackedFileSummary
  ) -> [String] {
    var lines = [
      "calibrated with \(calibration.pictures) pictures, \(calibration.questions) questions, \(calibration.texts) "
        + "texts (\(NumberText.grouped(calibration.tokens)) tokens), statistics "
        + UntrustedText.line(String(calibration.sha256.prefix(16))) + "…"
    ]
    let tensors = summary.sections.flatMap(\.tensors)
    let borrowed = tensors.filter { $0.importance == .layer }
    if let first = borrowed.first {
      lines.append(
        "\(borrowed.count) matrices of experts that saw too few rows are packed by their layer's mean, from "
          + "\(first.name) on")
    }
    // The embedding is looked up and routers stay as they are.
    let unknown = tensors.filter {
      $0.importance == nil && [.q4, .int8].contains($0.code) && !$0.name.hasSuffix(".embed_tokens.weight")
    }
    if let first = unknown.first {
      lines.append("\(unknown.count) matrices are packed as without statistics, from \(first.name) on")
    }
    return lines
  }

  private static func parts(of summary: PackedFileSummary) -> TextTable {
    var table = TextTable(
      ["part", "sections", "zstd", "MiB raw", "MiB stored", "share", ""],
      alignment: "lrrrrrl")
    for (index, part) in summary.parts.enumerated() where part.sections > 0 {
      let share = Double(part.storedBytes) / Double(summary.bytes)
      table.append([
        part.part.rawValue, "\(part.sections)", "\(part.compressedSections)",
        ByteSize(bytes: part.rawBytes).mebibytes,
        ByteSize(bytes: part.storedBytes).mebibytes,
        NumberText.percent(share),
        Terminal.styled(ShareBar.text(share, width: 32), .init(rawValue: 31 + index % 6) ?? .red),
      ])
    }
    // Sections begin at multiples of 64 KiB.
    let rest = summary.bytes - summary.parts.reduce(0) { $0 + $1.storedBytes }
    let share = Double(rest) / Double(summary.bytes)
    table.append([
      "gaps", "", "", "", ByteSize(bytes: rest).mebibytes, NumberText.percent(share),
      ShareBar.text(share, width: 32),
    ])
    return table
  }

  private static func codes(of summary: PackedFileSummary) -> TextTable {
    var table = TextTable(
      ["part", "code", "tensors", "weights", "bits/weight", "error", "weighted", "largest", "at"],
      alignment: "llrrrrrrl")
    for use in summary.codes {
      table.append([
        use.part.rawValue, use.code.rawValue, "\(use.tensors)", NumberText.grouped(use.weights),
        NumberText.fixed(use.bitsPerWeight, 2), NumberText.error(ppm: use.errorPPM),
        use.weightedErrorPPM.map { NumberText.error(ppm: $0) } ?? "-",
        NumberText.error(ppm: use.largestErrorPPM),
        use.largestErrorTensor ?? "",
      ])
    }
    return table
  }

  private static func files(of origin: Manifest.Origin) -> TextTable {
    var table = TextTable(["made from", "bytes", "SHA-256"], alignment: "lrl")
    for file in origin.files {
      table.append([
        UntrustedText.line(file.name) + (file.base ? " (of the base model)" : ""),
        NumberText.grouped(file.bytes),
        UntrustedText.line(String(file.sha256.prefix(16))) + "…",
      ])
    }
    return table
  }
}
