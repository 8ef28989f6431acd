import ArgumentParser
import VL2Base
import VL2Console
import VL2Quant

/// A budget of bits or bytes for which `pack` chooses codes itself.
struct BudgetOptions: ParsableArguments {
  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Choose codes by --calibration: of q4 and int8 those that lose least with so many bits a weight, as a mean over all matrices but the embedding.",
      valueName: "bits"))
  var bits: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The same for a packed file of at most this size, for example 1900M or 2G.", valueName: "size"),
    transform: Self.size)
  var size: ByteSize?

  private static func size(_ text: String) throws -> ByteSize {
    guard let size = ByteSize(text) else { throw ValidationError("give a size, for example 1900M or 2G.") }
    return size
  }

  /// nil where codes are chosen otherwise.
  var budget: CodeBudget? {
    bits.map { CodeBudget(.bits($0)) } ?? size.map { CodeBudget(.size($0.bytes)) }
  }

  func check(calibration: String?, recipe: String?, hasWeights: Bool) throws {
    guard budget != nil else { return }
    if bits != nil, size != nil {
      throw ValidationError("--bits and --size are both a budget: give one of them")
    }
    let name = bits == nil ? "--size" : "--bits"
    if recipe != nil || hasWeights {
      throw ValidationError("\(name) chooses the codes: leave --recipe and --weights out")
    }
    if calibration == nil {
      throw ValidationError("\(name) chooses by what counts in answers: give --calibration STATISTICS")
    }
  }

  /// Measures what codes lose on a checkpoint, chooses, and prints the table that it chose by.
  ///
  /// - Parameter statistics: the path of what `vl2 calibrate` collected.
  func choose(
    _ budget: CodeBudget, for checkpoint: Checkpoint, statistics: String, threads: Int, status: StatusLine
  ) throws -> Recipe {
    let collected = try CalibrationFile.read(statistics, for: try CalibratedModel(checkpoint))
    let losses = try CodeLoss.measure(
      checkpoint, collected, threads: threads, check: Interruption.check
    ) { status.show($0, "measuring codes") }
    status.clear()
    let size = try PackedSize(checkpoint)
    let choice = try budget.choose(losses, size: size.atMost)
    Console.write(Self.table(choice))
    return choice.recipe
  }

  /// The groups, what saves most for each byte first.
  private static func table(_ choice: CodeBudget.Choice) -> String {
    let all = choice.losses.reduce(0) { $0 + ($1.q4Loss ?? 0) }
    let best = choice.losses.map(\.gain).max() ?? 0
    var table = TextTable(
      ["matrices", "weights", "q4 error", "int8 error", "loss", "saved/byte", "code"], alignment: "lrrrrrl")
    let order = choice.losses.indices.sorted { (choice.losses[$1].gain, $0) < (choice.losses[$0].gain, $1) }
    for index in order {
      let loss = choice.losses[index]
      let shares = loss.group.matrices.reduce(0) { $0 + $1.share }
      func error(_ loss: Double?) -> String {
        guard let loss, shares > 0 else { return "-" }
        return NumberText.percent((loss / shares).squareRoot(), 2)
      }
      table.append([
        loss.group.name, NumberText.grouped(loss.group.weights), error(loss.q4Loss), error(loss.int8Loss),
        loss.q4Loss.map { NumberText.percent(all > 0 ? $0 / all : 0, 2) } ?? "-",
        NumberText.fixed(best > 0 ? loss.gain / best : 0, 4), choice.int8.contains(index) ? "int8" : "q4",
      ])
    }
    return table.text
      + "\n\(NumberText.fixed(choice.bitsPerWeight, 3)) bits a weight; \(NumberText.percent(choice.lossShare)) of what q4 "
      + "alone is expected to lose\n"
  }
}
