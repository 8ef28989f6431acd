import ArgumentParser
import VL2Base
import VL2Console
import VL2Measure

struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Looks at this computer, and says what slows a model down on it.",
    discussion: """
      It looks at processors, heat and power, memory and its limits, cameras and the service (docs/BOARDS.md). With a model \
      it also measures how fast its file can be read, and whether it fits into memory.

        vl2 doctor --model tiny.vl2q
      """)

  @Option(
    help: ModelFile.help, completion: .file(extensions: ["vl2q"]))
  var model: String?

  func run() throws {
    let model = try ModelFile.path(model).map { path in
      MachineReport.Model(
        path: path, bytes: try Self.fileSize(path), speed: StorageSpeed.measure(path),
        device: StorageDevice(of: path))
    }
    let report = MachineReport(Machine(), model: model, services: ServiceState.read())
    var table = TextTable(alignment: "ll")
    for (name, value) in report.rows {
      table.append([Terminal.styled(name, .faint), UntrustedText.line(value)])
    }
    var text = table.lines
    let advice = report.advice
    text.append("")
    text +=
      advice.isEmpty
      ? [Terminal.styled("Nothing to change.", .green)]
      : advice.map { Terminal.styled("- ", .yellow) + UntrustedText.line($0) }
    Console.write(text.joined(separator: "\n") + "\n")
  }

  private static func fileSize(_ path: String) throws -> Int {
    guard let size = FileStatus(path)?.bytes else {
      throw Failure(.noInput, "\(path): no such file", "give the packed model")
    }
    return size
  }
}
