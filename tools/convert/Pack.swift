import ArgumentParser
import FoundationEssentials
import VL2Base
import VL2Console
import VL2Quant

/// `vl2-convert pack`.
struct Pack: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Packs a checkpoint folder in published format into one file.",
    discussion: """
      FILE stays what it was until everything is written. An interrupted run leaves FILE.part, which --resume goes on \
      with. docs/CONVERTING.md tells about codes, recipes and fine-tuned models.

        vl2-convert pack deepseek-vl2-tiny -o tiny.vl2q
        vl2-convert pack my-tuned-tiny --base deepseek-vl2-tiny -o mine.vl2q
        vl2-convert pack deepseek-vl2-tiny -o tiny.vl2q --calibration statistics.safetensors
        vl2-convert pack deepseek-vl2-tiny -o tiny.vl2q --calibration statistics.safetensors --bits 4.6
      """)

  /// Codes that matrices can get.
  enum Weights: String, ExpressibleByArgument, CaseIterable {
    case q4, int8, bf16

    var code: WeightCode {
      switch self {
      case .q4: .q4
      case .int8: .int8
      case .bf16: .bf16
      }
    }
  }

  @Argument(help: "The folder with config.json, tokenizer.json and *.safetensors.", completion: .directory)
  var checkpoint: String

  @OptionGroup var options: PackingOptions

  @Option(
    help: ArgumentHelp(
      "The code of matrices; routers stay float32. Without it and --recipe: q4.", valueName: "code"))
  var weights: Weights?

  @Option(
    help: ArgumentHelp(
      "A JSON file that gives matrices codes by name, in place of --weights; docs/CONVERTING.md specifies it.",
      valueName: "recipe.json"), completion: .file(extensions: ["json"]))
  var recipe: String?

  @Option(
    help: ArgumentHelp(
      "A folder for the config and tokeniser files that CHECKPOINT lacks: the model it was made from.",
      valueName: "folder"), completion: .directory)
  var base: String?

  @Option(
    help: ArgumentHelp(
      "What 'vl2 calibrate' collected with a packing of CHECKPOINT: scales are chosen by what counts in its answers.",
      valueName: "statistics"), completion: .file(extensions: ["safetensors"]))
  var calibration: String?

  @OptionGroup var budget: BudgetOptions

  @Flag(help: "Go on with what an interrupted run left in FILE.part; begin anew where there is none.")
  var resume = false

  func validate() throws {
    if recipe != nil, weights != nil {
      throw ValidationError("--recipe and --weights both choose the codes: give one of them")
    }
    try budget.check(calibration: calibration, recipe: recipe, hasWeights: weights != nil)
  }

  func run() throws {
    let source = try Checkpoint(folder: checkpoint, base: base)
    var packer = options.packer(recipe: try chosenRecipe(for: source.config))
    packer.otherInputs = [recipe, calibration].compactMap { $0 }
    packer.calibration = try calibration.map { try PackingCalibration($0, for: source) }
    packer.unfinished = resume ? .resume : .keep
    let status = StatusLine()
    defer { status.clear() }
    if let limit = budget.budget, let calibration {
      packer.recipe = try budget.choose(
        limit, for: source, statistics: calibration, threads: packer.threads, status: status)
    }
    let leftOut: [String]
    do {
      leftOut = try packer.pack(source, to: options.output) { status.show($0, $1) }
      status.clear()
    } catch {
      status.clear()
      tellWhatIsLeft(after: error)
      throw error
    }
    // The published architecture has some tensors outside its forward pass, which are expected. Any other
    // deserves a message.
    for name in leftOut where !name.hasPrefix("vision.attn_pool.") {
      Console.tell("\(checkpoint): \(name) is used by no forward pass and was left out")
    }
  }

  /// After an interruption or a full disk: says whether work of this or an earlier run is left to resume.
  private func tellWhatIsLeft(after error: any Error) {
    let unfinished = PackedFileWriter.unfinishedPath(of: options.output)
    if let error = error as? any ReportableError, !error.kind.leavesWork { return }
    guard FileManager.default.fileExists(atPath: unfinished) else { return }
    Console.tell(
      "\(unfinished) holds what is done: give --resume to go on, or delete it and its journal")
  }

  private func chosenRecipe(for config: ModelConfig) throws -> Recipe {
    guard let recipe else { return Recipe(matrices: (weights ?? .q4).code) }
    let file = try RecipeFile(contentsOf: recipe)
    try file.check(for: config)
    return file.recipe
  }
}
