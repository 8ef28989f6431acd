import ArgumentParser
import Glibc
import VL2Base
import VL2Console
import VL2Run
import VL2Serve

struct Batch: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Answers a file of questions, in OpenAI's batch lines.",
    usage: """
      vl2 batch [--model FILE | --server URL] IN.jsonl -o OUT.jsonl [--images FOLDER] [--resume] [--shard I/N]
      """,
    discussion: """
      Each line of IN.jsonl is a request to /v1/chat/completions, as OpenAI's Batch API takes it; the answer's line is in \
      OUT.jsonl, in the same order (docs/BATCH.md). What is wrong with a request is said in its line.

        vl2 batch --model tiny.vl2q questions.jsonl -o answers.jsonl
        vl2 batch --model tiny.vl2q questions.jsonl -o answers.jsonl --images photos
        vl2 batch --model tiny.vl2q questions.jsonl -o answers.jsonl --resume
        vl2 batch --server http://192.168.1.20:11434 questions.jsonl -o answers.jsonl --images photos

      It ends at SIGTERM or Ctrl-C with what is done, and --resume goes on there; the same after a kill.

      Exit status: 0 every line has its answer; 64 wrong usage; 65 some lines have errors instead, or bad model; 66 no such \
      file; 69 not enough memory, or the server is gone; 74 reading or writing failed; 75 another process writes OUT.jsonl, or \
      the server has no time.
      """)

  @OptionGroup(title: "What is asked, and what comes out") var batch: BatchOptions
  @OptionGroup(title: "How questions are answered") var answering: BatchAnswerOptions
  @OptionGroup(title: "A server in place of a model") var serving: BatchServerOptions
  @OptionGroup(title: "Model and machine") var options: ModelOptions

  func validate() throws {
    guard serving.server != nil else { return try serving.checkUnused() }
    let own = [
      ("--model", options.model != nil), ("--threads", options.threads.threads != nil),
      ("--exact", options.exact),
      ("--kv", options.keyValues != nil), ("--memory", !options.memory.isEmpty),
      ("--context", options.context != nil), ("--no-check", options.unchecked),
      ("--alias", !answering.naming.alias.isEmpty), ("--max-tiles", answering.maxTiles != nil),
      ("--background", answering.transparency.chosen != nil),
    ]
    if let (name, _) = own.first(where: { $0.1 }) {
      throw ValidationError(
        "\(name) with --server: it is for the server to be started with; leave one of them out.")
    }
  }

  func run() async throws {
    let input = try BatchInput(batch.input, shard: try batch.shard.map { try Shard($0) })
    let folder = try batch.images.map { try ConfinedFolder(path: $0) }
    let inputs =
      try [AskOptions.file(batch.input)] + (serving.server == nil ? [options.path()] : serving.files)
    let place = try BatchOutput.Place(batch.output, resumes: batch.resume, reading: inputs)
    let client = try serving.server.map { try serving.client(ServerAddress($0)) }
    Interruption.watch()
    let (done, refused) =
      if let client { try await ask(client, input, place, folder) } else {
        try await answer(input, place, folder)
      }
    guard refused > 0 else { return }
    Console.tell("\(place.name): \(refused) of \(BatchInput.lines(done)) could not be answered, and say why")
    throw ExitCode(ExitStatus.badData.rawValue)
  }

  /// Has a server answer.
  ///
  /// - Returns: how many lines are there, and how many of them have errors.
  private func ask(
    _ client: BatchServer, _ input: BatchInput, _ place: BatchOutput.Place, _ folder: ConfinedFolder?
  ) async throws -> (done: Int, refused: Int) {
    do {
      let sender = try BatchSender(client, try client.describe(), folder: folder, concurrency: serving.count)
      defer { sender.close() }
      let output = try BatchOutput(place)
      try await output.complete { try sender.answer(input, output) }
      return output.count
    } catch let stopped as BatchServer.Stopped {
      try Interruption.check()
      throw stopped
    }
  }

  /// Answers here.
  ///
  /// - Returns: how many lines are there, and how many of them have errors.
  private func answer(
    _ input: BatchInput, _ place: BatchOutput.Place, _ folder: ConfinedFolder?
  ) async throws -> (done: Int, refused: Int) {
    var limits = answering.limits
    limits.pictures.folder = folder
    Heap.returnLargeBlocks()
    Picture.openLibraries()
    let engine = try await options.engine(keeping: nil)
    if let notice = engine.demonstrationNotice { Console.tell(notice) }
    let model = try ServedModel(engine, aliases: answering.naming.alias)
    let output = try BatchOutput(place)
    let settings = options.batchSettings(model, limits)
    try await output.complete {
      let status = StatusLine()
      defer { status.clear() }
      while let next = try input.next(settings) {
        if try output.takeOld(next) { continue }
        input.show(output.count, on: status)
        let reply = try await next.request.reply(
          name: next.name, earlier: next.earlier, model: model, limits: limits
        ) { try await engine.answer($0).answer { _ in try Interruption.check() } }
        try output.write(reply, to: next)
      }
    }
    return output.count
  }
}

/// What `vl2 batch` reads and writes.
struct BatchOptions: ParsableArguments {
  @Argument(
    help: ArgumentHelp("The requests, a JSON object a line; - is standard input.", valueName: "in.jsonl"),
    completion: .file(extensions: ["jsonl"]))
  var input: String

  @Option(
    name: [.short, .long],
    help: ArgumentHelp(
      "The answers, a JSON object a line; - is standard output.", valueName: "out.jsonl"),
    completion: .file(extensions: ["jsonl"]))
  var output: String

  @Option(
    help: ArgumentHelp(
      "A folder below which requests may name pictures by path, in place of sending them.",
      valueName: "folder"), completion: .directory)
  var images: String?

  @Flag(help: "Go on with an output that a run of the same batch has begun.")
  var resume = false

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Answer the I-th of N equal parts of the lines alone; the N outputs, one after the other, are that of the whole.",
      valueName: "i/n"))
  var shard: String?

  func validate() throws {
    if let shard { _ = try Shard(shard) }
    if shard != nil, input == "-" {
      throw ValidationError("--shard needs a file, whose lines can be counted first; - is a stream.")
    }
    if output == "-", resume {
      throw ValidationError("--resume needs a file that holds what is done; - is a stream.")
    }
  }
}

/// How the questions of a batch are answered, where they do not say.
struct BatchAnswerOptions: ParsableArguments {
  @OptionGroup var naming: AliasOption

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The most tiles, which pictures are cut into, for all pictures of a question, in place of as many as the model's context has room for.",
      valueName: "n"))
  var maxTiles: Int?

  @OptionGroup var transparency: BackgroundOption

  func validate() throws {
    try TileOptions.check(mostTiles: maxTiles)
  }

  var limits: AskingLimits {
    var limits = AskingLimits()
    limits.mostTiles = maxTiles
    limits.pictures.background = transparency.background
    return limits
  }
}
