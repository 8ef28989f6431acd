import Synchronization
import VL2Base
import VL2Console
import VL2Frames
import VL2Run
import VL2Serve
import VL2Watch

/// A camera that a server looks through: what `vl2 watch` does, in the server's process and with its engine. It alone knows both
/// the loop and what is served of it.
final class ServedCamera: Sendable {
  /// What the server shows of it.
  let live: LiveSource
  private let configuration: WatchConfiguration
  private let source: Handed<any FrameSource>
  private let isToEnd = Atomic<Bool>(false)
  private let isRunning = Atomic<Bool>(false)

  /// Something on its way to the thread that alone uses it.
  private struct Handed<Value>: @unchecked Sendable {
    let value: Value
    init(_ value: Value) { self.value = value }
  }

  /// Checks the configuration, and the words that name the camera. Nothing is started.
  ///
  /// - Parameter path: of a configuration (docs/WATCHING.md).
  /// - Throws: `InputError`, `FileError`, `SchemaError`, `SourceError`.
  init(configuration path: String) throws {
    configuration = try WatchConfiguration(contentsOf: path)
    source = Handed(try configuration.source())
    live = LiveSource(questions: configuration.questions.map { ($0.name, $0.text) })
  }

  /// Begins to look. A camera that cannot be had is waited for.
  ///
  /// - Parameter tiles: into how many tiles a frame is cut.
  /// - Throws: `ThreadError`.
  func start(_ engine: Engine, tiles: TileLimit) throws(ThreadError) {
    isRunning.store(true, ordering: .relaxed)
    live.begins()
    try SystemThread.start("vl2-watch", stackBytes: 2 << 20) { [self] in
      look(engine, tiles)
      isRunning.store(false, ordering: .releasing)
    }
  }

  /// Has the loop end, which takes a moment.
  func end() { isToEnd.store(true, ordering: .relaxed) }

  /// Whether nothing of it is at work any more, and what it started has ended.
  var isOver: Bool { !isRunning.load(ordering: .acquiring) }

  private func look(_ engine: Engine, _ tiles: TileLimit) {
    var surroundings = WatchLoop.Surroundings(
      write: { [live] in live.tell($0) }, note: { Console.tell($0) },
      isAsked: { [live] in live.takeAsking() },
      isOver: { [self] in isToEnd.load(ordering: .relaxed) })
    surroundings.onlooker = WatchOnlooker(
      sees: { [live] frame, picture, isWhole in
        var content = LiveFrame.Content.picture(picture)
        if isWhole, case .encoded(let bytes) = frame.content, FileKind(bytes) == .jpeg {
          content = .jpeg(bytes)
        }
        live.show(content, width: picture.width, height: picture.height, time: frame.time.text)
      },
      asks: { [live] in live.asks($0) },
      judges: { [live] in live.judge($0, holds: $1) },
      goesRound: { [live] in live.goesRound() },
      works: { [live] in live.works() })
    let loop = WatchLoop(
      configuration, source: source.value, engine: engine, tiles: tiles, surroundings: surroundings)
    var reason = "the camera has no more pictures"
    do {
      try loop.run(waitsForCamera: true)
    } catch {
      reason = (error as? any ReportableError)?.line() ?? "\(error)"
      live.tell([
        "time": .text(FrameTime.now.text), "event": "ended", "message": .text(UntrustedText.line(reason)),
      ])
    }
    if !isToEnd.load(ordering: .relaxed) { Console.tell("\(reason); the server goes on without it") }
  }
}
