import ArgumentParser
import Glibc
import VL2Base
import VL2Console
import VL2Frames
import VL2Read
import VL2Run

struct Read: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Reads documents page by page, or tells what is seen in a video.",
    usage: """
      vl2 read [--model FILE] FILE... [-o OUT] [--format md|text|json|csv]
      vl2 read [--model FILE] VIDEO [-o OUT.jsonl] [--every 10s]
      """,
    discussion: """
      Pages of PDF files are drawn by poppler (Debian package poppler-utils), pictures of videos come from ffmpeg. A page whose \
      print is small, or that does not fit into one answer, is read in bands (docs/READING.md).

        vl2 read --model tiny.vl2q letter.jpg
        vl2 read report.pdf --pages 3-7 -o report.md
        vl2 read invoice.pdf --schema invoice.json --per document
        vl2 read film.mp4 --every 10s -o film.jsonl
        vl2 read book.pdf -o book.md --resume

      Exit status: 0 all is read; 64 wrong usage; 65 a page, the file or the model is broken; 66 no such file; 69 not enough \
      memory, or a program is missing or hangs; 74 reading or writing failed; 75 another program writes the result.
      """)

  @OptionGroup(title: "What is read, and what comes out") var reading: ReadOptions
  @OptionGroup(title: "Model and machine") var options: ModelOptions

  func run() async throws {
    signal(SIGPIPE, SIG_IGN)
    Interruption.watch()
    let request = try reading.request
    let isVideo = reading.files.contains { FileKind.ofFile($0)?.isVideo == true }
    if isVideo { try checkVideo() }
    let format: PageFormat = isVideo ? .json : request.format
    // Text alone that is copied needs no model.
    let copiesAlone = reading.textLayer && reading.per == .page
    let model = copiesAlone ? try? options.path() : try options.path()
    let inputs = reading.files + [model, reading.schema].compactMap { $0 }
    if let output = reading.output, !ReadOutput.isStream(output) {
      try ReadOutput.check(output, format.kind, reading: inputs)
    } else if reading.resume {
      throw ValidationError("--resume: \(reading.output ?? "") is no file that could be gone on with.")
    }
    let programs = reading.programs.running
    let documents =
      try isVideo
      ? []
      : reading.files.map {
        try Document($0, pages: reading.pages.flatMap { PageRange($0) } ?? .init(), programs)
      }
    if !reading.textLayer { try offerText(documents) }
    let result = try Result(reading, head: format.head, model: model, isVideo: isVideo)
    let asker = Asker(options)
    let status = StatusLine()
    defer { status.clear() }
    let tell = { (line: String) in
      status.clear()
      Console.tell(line)
    }
    if isVideo {
      try await readVideo(request, programs, asker, result, status, tell)
    } else {
      try await readPages(documents, request, asker, result, status, tell)
    }
    try result.finish()
    status.clear()
    if result.failures > 0 { throw ExitCode(ExitStatus(.badData).rawValue) }
  }

  private func checkVideo() throws {
    if reading.files.count > 1 { throw ValidationError("A video is read by itself; give it alone.") }
    let others: [(String, Bool)] = [
      ("--pages", reading.pages != nil), ("--schema", reading.schema != nil),
      ("--per", reading.per != .page), ("--text-layer", reading.textLayer),
      ("--format", reading.format.map { $0 != .json } ?? false), ("--lines", reading.lines != nil),
      ("--columns", reading.columns != "auto"), ("--rotate", reading.rotate != 0),
    ]
    for (name, isGiven) in others where isGiven { throw ValidationError("\(name) does not go with a video.") }
  }

  /// Says where a text need not be read, since it is there.
  private func offerText(_ documents: [Document]) throws {
    for document in documents {
      guard case .pdf(let pdf) = document.content, try pdf.hasText(document.pages) else { continue }
      Console.tell(
        "\(document.path): it has a text layer: --text-layer copies that, which is exact and takes no time")
    }
  }

  private func readPages(
    _ documents: [Document], _ request: PageRequest, _ asker: Asker, _ result: Result, _ status: StatusLine,
    _ tell: @escaping (String) -> Void
  ) async throws {
    var begun = ""
    let wantsValues = reading.per == .document
    let forPages = wantsValues ? request.forPages : request
    let ask = { (question: Question) async throws -> PartAnswer in
      let name = begun
      let answer = try await asker.answer(question) { status.show(name + $0) }
      return PartAnswer(text: answer.text, isCut: [.maxTokens, .context, .loop].contains(answer.ending))
    }
    let reader = DocumentReader(
      documents, format: request.format, background: reading.transparency.background,
      copiesText: reading.textLayer
    ) { note in
      let sight = try await asker.sight(mostTiles: request.mostTiles)
      return PageReader(forPages, sight: sight) { picture, isPart in
        try await ask(forPages.question(picture, isPart: isPart))
      } note: {
        note($0)
      }
    } tell: { event in
      switch event {
      case .page(let page, let path, let done, let all):
        begun = "\(path), page \(page), \(done + 1) of \(all): "
        status.show(begun)
      case .value(let path):
        begun = "\(path), all of it: "
        status.show(begun)
      case .note(let line): tell(line)
      }
    }
    guard wantsValues else {
      return try await reader.read(skipping: result.pieces) { try result.write($0, isFailure: $1) }
    }
    try await reader.readValues(skipping: result.pieces, kept: result.kept) {
      let engine = try await asker.engine()
      return ValueReader(request, contextLength: engine.contextLength) {
        try await engine.promptTokens(of: $0)
      } ask: {
        try await ask($0)
      }
    } keep: {
      try result.keep($0)
    } write: {
      try result.write($0, isFailure: $1)
    }
  }

  private func readVideo(
    _ request: PageRequest, _ programs: FilePrograms, _ asker: Asker, _ result: Result, _ status: StatusLine,
    _ tell: @escaping (String) -> Void
  ) async throws {
    let path = reading.files[0]
    let interval = reading.every.flatMap { DurationText.seconds($0) } ?? 10
    let frames = try VideoFrames(path, every: interval, programs)
    defer { frames.stop() }
    _ = try await asker.engine()
    var time = ""
    let reader = VideoReader { picture in
      var question = Question(
        request.prompt ?? VideoReader.prompt, pictures: [picture], maxTokens: min(request.maxTokens, 256))
      question.tileLimit = request.mostTiles.map { .tiles($0) } ?? .context
      let answer = try await asker.answer(question) { status.show(time + $0) }
      return AnswerText.cleaned(answer.text)
    } tell: { seconds in
      time = "\(path), \(VideoTime.text(seconds)): "
      status.show(time)
    }
    try await reader.read(frames, skipping: result.pieces) { try result.write($0, isFailure: $1) }
    if let trouble = frames.trouble { tell("\(path): ffmpeg says: \(trouble)") }
  }

  /// Where the result goes: a file that can be gone on with, or a stream.
  private final class Result {
    private let file: ReadOutput?
    private let stream: Int32
    private let name: String
    private var streamFailures = 0

    var pieces: Int { file?.pieces ?? 0 }
    var failures: Int { file?.failures ?? streamFailures }
    var kept: [PageContent] { file?.kept ?? [] }

    init(_ reading: ReadOptions, head: String, model: String?, isVideo: Bool) throws {
      name = reading.output ?? "standard output"
      if let output = reading.output, !ReadOutput.isStream(output) {
        let check = { try Interruption.check() }
        let work = ReadWork(
          inputs: try reading.files.map { try ReadWork.Input($0, check: check) },
          settings: try reading.settings(model: model, isVideo: isVideo))
        file = try ReadOutput(output, work, head: head, resumes: reading.resume)
        stream = -1
      } else if let output = reading.output {
        file = nil
        stream = open(output, O_WRONLY | O_CLOEXEC)
        guard stream >= 0 else { throw OutputError(output, errno) }
        try write(head, isFailure: false)
      } else {
        file = nil
        stream = STDOUT_FILENO
        try write(head, isFailure: false)
      }
    }

    func write(_ text: String, isFailure: Bool) throws {
      try Interruption.check()
      if let file { return try file.write(text, isFailure: isFailure) }
      if isFailure { streamFailures += 1 }
      if stream == STDOUT_FILENO { return Console.write(Terminal.shown(text)) }
      do throws(Descriptor.Failure) {
        try Descriptor(stream).write(text)
      } catch {
        throw OutputError(name, error.number)
      }
    }

    /// What a piece is made of that is not written yet.
    func keep(_ content: PageContent) throws {
      try Interruption.check()
      if let file { return try file.keep(content) }
      if case .failed = content { streamFailures += 1 }
    }

    func finish() throws { try file?.finish() }
  }

  /// The model, opened when it is first asked.
  private final class Asker {
    private let options: ModelOptions
    private var opened: Engine?
    private var sight: TileSight?

    init(_ options: ModelOptions) { self.options = options }

    func engine() async throws -> Engine {
      if let opened { return opened }
      let engine = try await options.engine(keeping: 0)
      if let notice = engine.demonstrationNotice { Console.tell(notice) }
      opened = engine
      return engine
    }

    func sight(mostTiles: Int?) async throws -> TileSight {
      if let sight { return sight }
      let processor = try await engine().withModel(\.config.processor)
      let sight = TileSight(processor, mostTiles: mostTiles)
      self.sight = sight
      return sight
    }

    /// Asks, until a signal comes.
    func answer(_ question: Question, show: (String) -> Void) async throws -> Answer {
      try Interruption.check()
      return try await engine().answer(question).answer { event in
        try Interruption.check()
        if let status = event.status { show(status) }
      }
    }
  }
}
