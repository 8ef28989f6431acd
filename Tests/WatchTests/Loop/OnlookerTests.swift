import Synchronization
import TestFrames
import TestModels
import Testing
import VL2Base
import VL2Frames
import VL2Run
import VL2Watch

/// What somebody learns who looks on while the loop runs.
@Suite struct OnlookerTests {
  /// Gives some frames, and then none for ever; is not there at first.
  private final class Late: FrameSource {
    let name = "late"
    let isLive = false
    let isRestartable = true
    let framesToSettle = 1
    let counts = FrameCounts()
    private var frames: [Picture]
    private var failures = 1

    init(_ frames: [Picture]) { self.frames = frames }

    func start() throws {
      failures -= 1
      if failures >= 0 { throw SourceError.noFolder(path: name) }
    }
    func stop() {}
    func next(within seconds: Double) throws -> FrameArrival {
      if frames.isEmpty {
        SystemThread.sleep(seconds)
        return .nothing
      }
      return .frame(Frame(.decoded(frames.removeFirst())))
    }
  }

  /// What came, in words.
  private struct Seen {
    var words: [String] = []
    var rounds = 0
    var works = 0
    var lines = 0
    var hasAsked = false
  }

  private func look(
    _ frames: [Picture], mask: [FrameRegion] = [], until isOver: @escaping @Sendable (Seen) -> Bool
  ) async throws -> Seen {
    var configuration = WatchConfiguration()
    var question = WatchQuestion(name: "what", text: "What is it?")
    question.form = .choices(["a cat", "a dog"])
    configuration.questions = [question]
    configuration.frozenAfter = nil
    configuration.mask = mask
    let seen = Mutex(Seen())
    let engine = try await Engine(path: try PackedModels.path("nano-mha", .q4), keeping: 0)
    var surroundings = WatchLoop.Surroundings(
      write: { line in
        seen.withLock { seen in
          if line.member("event") == nil { seen.lines += 1 }
          if case .string(let bytes)? = line.member("event") {
            seen.words.append(String(decoding: bytes, as: UTF8.self))
          }
        }
      }, note: { Issue.record("\($0)") },
      // Once, when everything was looked at and answered.
      isAsked: {
        seen.withLock { seen in
          let isTime = !seen.hasAsked && seen.words.count(where: { $0 == "sees" }) == frames.count
          if isTime { seen.hasAsked = true }
          return isTime
        }
      }, isOver: { seen.withLock { isOver($0) } })
    surroundings.onlooker = WatchOnlooker(
      sees: { _, picture, isWhole in
        seen.withLock { $0.words.append(isWhole ? "sees" : "sees \(picture.pixels[0])") }
      },
      asks: { reason in seen.withLock { $0.words.append(reason.map { "asks for \($0)" } ?? "nothing") } },
      judges: { question, holds in seen.withLock { $0.words.append("\(question) \(holds)") } },
      goesRound: { seen.withLock { $0.rounds += 1 } }, works: { seen.withLock { $0.works += 1 } })
    let loop = WatchLoop(
      configuration, source: Late(frames), engine: engine, tiles: .tiles(1), surroundings: surroundings)
    try loop.run(waitsForCamera: true)
    return seen.withLock { $0 }
  }

  /// A camera that is not there is waited for; each frame is seen; asking is about the last one where none comes; an answer that is
  /// the same again is no line, but judged.
  @Test func sees() async throws {
    let room = DrawnScene(width: 160, height: 120)
    let seen = try await look([room.picture(seed: 1), room.picture(seed: 2)]) {
      $0.words.contains("what true")
    }
    #expect(
      seen.words.prefix(8) == [
        "gone", "back", "sees", "asks for start", "nothing", "sees", "asks for asked", "what true",
      ])
    #expect(seen.lines == 1 && seen.rounds > 4 && seen.works > 2)
  }

  /// Where a part is masked, what is seen is that.
  @Test func mask() async throws {
    let room = DrawnScene(width: 160, height: 120)
    let seen = try await look(
      [room.picture(seed: 1)], mask: [FrameRegion(left: 0, top: 0, width: 20, height: 20)]
    ) { $0.lines > 0 }
    #expect(seen.words.contains("sees 128"))
  }
}
