import ArgumentParser
import VL2Base
import VL2Console
import VL2Quant

/// `vl2-convert diff`.
struct Diff: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Shows in what two packed files differ: config, recipe, errors, tensors.",
    discussion: "Exits with 0 where nothing differs and with 1 where something does, as diff(1) does.")

  @Argument(help: "A packed file.", completion: .file(extensions: ["vl2q"]))
  var a: String

  @Argument(help: "Another one.", completion: .file(extensions: ["vl2q"]))
  var b: String

  @Flag(help: "Print one JSON object, with every tensor that differs.")
  var json = false

  /// How many values of a kind are printed before "and more".
  private static let longest = 30

  func run() throws {
    let files = (try PackedFile(path: a), try PackedFile(path: b))
    let status = StatusLine()
    defer { status.clear() }
    let difference = try PackedFileDifference(files.0, files.1) { status.show($0, $1) }
    status.clear()
    Console.write(
      json
        ? try JSONOutput.text(difference, .indented) : Self.lines(of: difference).map { $0 + "\n" }.joined())
    if !difference.same { throw ExitCode(1) }
  }

  private static func lines(of difference: PackedFileDifference) -> [String] {
    if difference.same { return ["\(difference.a) and \(difference.b) are the same"] }
    var lines = ["A: \(difference.a)", "B: \(difference.b)"]
    lines += section("origin", difference.origin)
    lines += section("config", difference.config)
    if difference.tokenizerDiffers { lines += ["", "The tokenisers differ."] }
    if let a = difference.recipeA, let b = difference.recipeB {
      lines += ["", "recipe"]
      lines += a.map { "  A  \(UntrustedText.line($0.pattern)) \($0.code.rawValue)" }
      lines += b.map { "  B  \(UntrustedText.line($0.pattern)) \($0.code.rawValue)" }
    }
    if let value = difference.zstdSections { lines += section("storage", [value]) }
    if difference.tensors.isEmpty {
      lines += ["", "All packed weights are the same."]
    } else {
      lines += [""] + groups(difference.groups).lines
    }
    lines += alone(difference.tensors)
    return lines
  }

  private static func section(_ title: String, _ values: [ConfigDifference.Value]) -> [String] {
    guard !values.isEmpty else { return [] }
    var table = TextTable([title, "A", "B"], alignment: "lll")
    for value in values.prefix(longest) {
      table.append([short(value.what), value.a.map(short) ?? "-", value.b.map(short) ?? "-"])
    }
    return [""] + table.lines + more(values.count)
  }

  private static func more(_ count: Int) -> [String] {
    count > longest ? ["and \(count - longest) more, which --json prints"] : []
  }

  /// Text from the files, made fit for a line of a table.
  private static func short(_ text: String) -> String {
    let printable = UntrustedText.line(text)
    return printable.count > 48 ? printable.prefix(47) + "…" : printable
  }

  private static func groups(_ groups: [PackedFileDifference.Group]) -> TextTable {
    var table = TextTable(
      ["part", "code A", "code B", "tensors", "differ", "MiB A", "MiB B", "error A", "error B"],
      alignment: "lllrrrrrr")
    for group in groups {
      table.append([
        group.part.rawValue, group.codeA.rawValue, group.codeB.rawValue, "\(group.tensors)",
        "\(group.differing)", ByteSize(bytes: group.bytesA).mebibytes,
        ByteSize(bytes: group.bytesB).mebibytes,
        NumberText.error(ppm: group.errorPPMA), NumberText.error(ppm: group.errorPPMB),
      ])
    }
    return table
  }

  /// Tensors that one file lacks or that have another shape.
  private static func alone(_ tensors: [PackedFileDifference.Tensor]) -> [String] {
    let lines = tensors.compactMap { tensor -> String? in
      switch (tensor.shapeA, tensor.shapeB) {
      case (let a?, let b?): a == b ? nil : "  \(tensor.name): \(a) in A, \(b) in B"
      case (_?, nil): "  \(tensor.name): in A only"
      default: "  \(tensor.name): in B only"
      }
    }
    return lines.isEmpty ? [] : ["", "other tensors"] + lines.prefix(longest) + more(lines.count)
  }
}
