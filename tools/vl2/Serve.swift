import ArgumentParser
import Glibc
import VL2Base
import VL2Console
import VL2Run
import VL2Serve

struct Serve: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Answers other programs over HTTP, as OpenAI's and Ollama's servers do.",
    discussion: """
      Programs that can ask one of these ask this one at http://127.0.0.1:11434, or with /v1 after it (docs/SERVING.md).

        vl2 serve --model tiny.vl2q
        vl2 serve --model tiny.vl2q --host 0.0.0.0 --api-key-file keys.txt --allow 192.168.1.20
        vl2 serve --model tiny.vl2q --watch gate.yaml

      With --watch it looks through a camera meanwhile, as vl2 watch does, and http://127.0.0.1:11434/kiosk shows what it sees \
      and answers (docs/WATCHING.md has the configuration). People's questions go first.

      It ends at SIGTERM or Ctrl-C, after the answer that is being written; at the second one at once.

      Exit status: 0 ended by a signal; 64 wrong usage; 65 bad model or configuration; 66 no such file; 69 not enough memory, or \
      the port is taken.
      """)

  @OptionGroup(title: "Who may ask") var access: AccessOptions
  @OptionGroup(title: "How questions are answered") var answering: ServeOptions
  @OptionGroup(title: "Model and machine") var options: ModelOptions

  func run() async throws {
    // The log's reader may end before the server does.
    signal(SIGPIPE, SIG_IGN)
    Heap.returnLargeBlocks()
    let rules = try access.rules()
    let manager = ServiceManager()
    let camera = try answering.watch.map { try ServedCamera(configuration: $0) }
    let server = try Server(
      access: rules, limits: answering.limits, watchdogSeconds: manager?.watchdogSeconds, live: camera?.live
    ) { Console.tell($0) }
    let listeners = try access.listen(server)
    Interruption.watch()
    // Opened now: when the first such picture comes, there may be no descriptor left.
    Picture.openLibraries()
    // The camera's question waits besides.
    let engine = try await options.engine(
      keeping: nil, mostWaiting: answering.queue + (camera == nil ? 1 : 2))
    if engine.demonstrationNotice != nil, !answering.demo {
      throw ValidationError(
        "\(engine.path) only demonstrates how things work and knows little: give --demo to serve it, or another --model."
      )
    }
    try await Self.readModel(engine)
    if Interruption.isRequested {
      for listener in listeners { listener.stop() }
      return
    }
    var speeds = SpeedCache(
      engine, exact: options.exact, reading: access.apiKeyFile.map { [$0] } ?? [])
    var speed = speeds.speed
    // It says how many tiles there is time for, which --max-tiles says otherwise.
    if speed == nil, answering.maxTiles == nil { speed = try await engine.measureSpeed() }
    var model = try ServedModel(engine, aliases: answering.naming.alias)
    model.settings = options.batchSettings(model, answering.limits)
    server.begin(engine, as: model, speed: speed)
    try camera?.start(engine, tiles: answering.maxTiles.map { .tiles($0) } ?? .context)
    for listener in listeners {
      Console.tell("serving \(model.name) at http://\(listener.address.urlText):\(listener.port)")
    }
    manager?.isReady()
    if let manager, let seconds = manager.watchdogSeconds {
      try SystemThread.start("vl2-watchdog") { Self.giveSigns(manager, every: seconds / 4, server) }
    }
    try await SystemThread.wait(every: 0.1) { Interruption.isRequested }
    manager?.isStopping()
    camera?.end()
    server.close()
    for listener in listeners { listener.stopAccepting() }
    let isOver = { @Sendable in
      server.isIdle && camera?.isOver ?? true && listeners.allSatisfy { $0.answering == 0 }
    }
    try await Self.wait(seconds: Self.secondsToEnd, for: isOver)
    if !isOver() {
      server.cancel()
      try await Self.wait(seconds: 2, for: isOver)
    }
    for listener in listeners { listener.stop() }
    try await Self.wait(seconds: 2) { server.isLogged }
    if let speed = server.speed { speeds.speed = speed }
  }

  /// Waits until the model's file is read, so that the first question does not wait for storage.
  private static func readModel(_ engine: Engine) async throws {
    guard let reading = engine.readAhead else { return }
    let status = StatusLine()
    reading.onProgress { progress in
      if let fraction = progress.fraction { status.show(AnswerProgress.text("", fraction)) }
    }
    let begin = ContinuousClock.now
    try await SystemThread.wait(every: 0.01) { reading.progress.isOver || Interruption.isRequested }
    reading.stop()
    status.clear()
    let (read, seconds) = (reading.progress.read, (ContinuousClock.now - begin) / .seconds(1))
    // Whoever reads the log wonders what the time went for.
    if read > 0, seconds >= 1 {
      Console.tell("read \(ByteSize(bytes: read)) of the model in \(NumberText.fixed(seconds, 0)) s")
    }
  }

  /// How long the answer that is being written may go on after a signal. systemd kills after 90 s.
  private static let secondsToEnd = 20.0

  private static func wait(seconds: Double, for isOver: @escaping @Sendable () -> Bool) async throws {
    let end = ContinuousClock.now + .seconds(seconds)
    try await SystemThread.wait(every: 0.05) { ContinuousClock.now >= end || isOver() }
  }

  /// Tells the service manager that it lives. One that hangs is silent and is started again. To the end of the process.
  private static func giveSigns(_ manager: ServiceManager, every seconds: Double, _ server: Server) -> Never {
    var signs = SignsOfLife(of: server)
    while true {
      if signs.areThere() { manager.isAlive() }
      SystemThread.sleep(seconds)
    }
  }
}

/// How a server answers.
struct ServeOptions: ParsableArguments {
  @OptionGroup var naming: AliasOption

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The most seconds from a question to the end of its answer. Pictures are looked at as closely as there is time for.",
      valueName: "seconds"))
  var deadline = 50.0

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Questions that may wait; one more is refused with 429.", valueName: "n"))
  var queue = 4

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The most tiles, which pictures are cut into, for all pictures of a question, in place of as many as there is time for.",
      valueName: "n"))
  var maxTiles: Int?

  @Option(
    help: ArgumentHelp(
      "Look through a camera meanwhile, as this configuration of vl2 watch says.", valueName: "config.yaml"),
    completion: .file(extensions: ["yaml", "yml"]))
  var watch: String?

  @OptionGroup var transparency: BackgroundOption

  @Flag(help: "Serve a model that only demonstrates how things work, such as pocket.")
  var demo = false

  func validate() throws {
    if !(deadline >= 1 && deadline <= 86_400) {
      throw ValidationError("--deadline \(deadline): give seconds from 1 to 86400.")
    }
    if !(0...1000).contains(queue) {
      throw ValidationError("--queue \(queue): give a number from 0 to 1000.")
    }
    try TileOptions.check(mostTiles: maxTiles)
  }

  var limits: AskingLimits {
    var limits = AskingLimits()
    limits.deadline = deadline
    limits.waiting = queue
    limits.mostTiles = maxTiles
    limits.pictures.background = transparency.background
    return limits
  }
}

/// Where a server listens, and who may ask it.
struct AccessOptions: ParsableArguments {
  @Option(parsing: .unconditional, help: ArgumentHelp("The port; 0 for one that is free.", valueName: "n"))
  var port: UInt16 = 11434

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "An address of this machine to listen at; 0.0.0.0 for all. Others than this machine's own need --api-key-file or --no-auth. (default: 127.0.0.1)",
      valueName: "address"))
  var host: [String] = []

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "A name by which programs may call this server, besides its addresses and NAME.local.",
      valueName: "name"))
  var allowHost: [String] = []

  @Option(
    help: ArgumentHelp("A file with a key on each line, of which each request needs one.", valueName: "file"),
    completion: .file())
  var apiKeyFile: String?

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp(
      "Addresses that need no key, such as 192.168.1.20 or 192.168.1.0/24; with --no-auth, the only ones that may ask.",
      valueName: "cidr"))
  var allow: [String] = []

  @Flag(name: .customLong("no-auth"), help: "Let everybody ask who reaches the port.")
  var isOpen = false

  func validate() throws {
    for text in host where NetworkAddress(text) == nil {
      throw ValidationError("--host \(text): give an address as 127.0.0.1, 0.0.0.0 or ::1.")
    }
    for text in allow where AddressRange(text) == nil {
      throw ValidationError("--allow \(text): give an address, or a range as 192.168.1.0/24.")
    }
    if apiKeyFile != nil, isOpen {
      throw ValidationError("--no-auth with --api-key-file: leave one of them out.")
    }
    if let outside = addresses.first(where: { !$0.isLoopback }), apiKeyFile == nil, !isOpen {
      throw ValidationError(
        "--host \(outside) lets other machines ask: give --api-key-file FILE with keys, or --no-auth to do without."
      )
    }
  }

  private var addresses: [NetworkAddress] {
    host.isEmpty ? [.loopback] : host.compactMap { NetworkAddress($0) }
  }

  /// The packed file in both ways of reading, a library for pictures, what the service manager is told, and some to spare.
  private static let modelDescriptors = 16

  func rules() throws -> AccessRules {
    AccessRules(
      keys: try apiKeyFile.map { try KeyFile.keys(at: $0) } ?? [],
      networks: allow.compactMap { AddressRange($0) },
      names: allowHost)
  }

  /// Listens at each address, to as many connections as there are descriptors for. With port 0, all have the port that was
  /// free at the first.
  func listen(_ server: Server) throws -> [Listener] {
    var limits = TransportLimits()
    let descriptors = DescriptorLimit.raise()
    // libmicrohttpd may have twice as many for a moment, the model takes some.
    let each = (descriptors.limit - descriptors.open - Self.modelDescriptors) / addresses.count
    let most = (each - Listener.ownDescriptors) / 2
    guard most >= 4 else { throw DescriptorError(limit: descriptors.limit) }
    if most < limits.connections {
      limits.connections = most
      Console.tell(
        "\(most) connections at a time, not \(TransportLimits().connections): this program may have "
          + "\(descriptors.limit) files open; \(DescriptorLimit.hint.text())")
    }
    var listeners: [Listener] = []
    for address in addresses {
      let port = port == 0 ? listeners.first?.port ?? 0 : port
      listeners.append(try Listener(address: address, port: port, limits: limits, service: server))
    }
    return listeners
  }
}
