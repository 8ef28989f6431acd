import Foundation
import Glibc
import TestSupport
import Testing
import VL2Base

@Suite struct ChildTests {
  private func output(
    _ line: String, input: [UInt8] = [], seconds: Double = 60, bytes: Int = 1 << 22, memory: Int? = nil
  ) throws -> String {
    let output = try ChildWork.output(
      .shell(line, memoryBytes: memory), input: input, seconds: seconds, outputBytes: bytes)
    return String(decoding: output, as: UTF8.self)
  }

  /// Whether a process is there and no zombie that its new parent has not reaped yet.
  private func isAlive(_ process: Int32) -> Bool {
    guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8) else {
      return false
    }
    return text.split(separator: ")").last?.split(separator: " ").first != "Z"
  }

  private func isGone(_ process: Int32) -> Bool {
    for _ in 0..<200 {
      if !isAlive(process) { return true }
      Thread.sleep(forTimeInterval: 0.01)
    }
    return false
  }

  /// More than pipes hold goes in and comes out at the same time.
  @Test func inputAndOutput() throws {
    var random = SplitMix64(seed: 1)
    let bytes = (0..<1_000_000).map { _ in UInt8.random(in: 0...255, using: &random) }
    #expect(
      try ChildWork.output(ChildCommand(["cat"]), input: bytes, seconds: 60, outputBytes: 1_000_000) == bytes)
    #expect(try output("cat; echo $0 $#") == "/bin/sh 0\n")
    // Who does not read its input is no failure, and ends nobody by SIGPIPE.
    #expect(try output("exec 0<&-; sleep 0.1; echo done", input: bytes) == "done\n")
  }

  @Test func failures() throws {
    for (line, words) in [
      ("echo first >&2; echo 'no camera' >&2; exit 3", "ended with status 3: no camera; run it by hand"),
      ("kill -9 $$", "ended by signal 9; run it"),
      ("printf 'a\\033[2Jb' >&2; exit 1", "ended with status 1: a"),
    ] {
      let error = try #require(reported { _ = try output(line) })
      #expect(error.kind == .unavailable)
      #expect(error.description.contains(words), "\(error)")
      #expect(!error.description.contains("\u{1B}"))
    }
    for (program, name) in [("vl2-no-such", "vl2-no-such"), ("/etc/passwd", "/etc/passwd"), ("/tmp", "/tmp")]
    {
      for memory in [nil, 1 << 30] {
        let error = reported { _ = try Child(ChildCommand([program], memoryBytes: memory)) }
        #expect(error as? ChildError == .missing(program: name), "\(program)")
      }
    }
  }

  @Test func hangs() throws {
    let begin = ContinuousClock.now
    let error = reported { _ = try output("echo $$; sleep 1000", seconds: 0.3) }
    guard case .tooLong(_, 0.3) = error as? ChildError else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(ContinuousClock.now - begin < .seconds(20))
  }

  @Test func floods() throws {
    let error = reported {
      _ = try ChildWork.output(ChildCommand(["yes"]), seconds: 60, outputBytes: 100_000)
    }
    #expect(error as? ChildError == .tooMuch(program: "yes", bytes: 100_000))
    // Standard error is taken and forgotten, but for its last line.
    #expect(throws: ChildError.failed(program: "'x'", end: .status(7), lastLine: "last")) {
      var command = ChildCommand.shell(
        "head -c 3000000 /dev/zero >&2; echo >&2; echo last >&2; echo >&2; exit 7")
      command.name = "'x'"
      _ = try ChildWork.output(command, seconds: 60, outputBytes: 10)
    }
  }

  /// A stream that is read for a while and then ended, with everything that it started.
  @Test func groupEnds() throws {
    let child = try Child(.shell("sleep 1000 & echo $$ $!; wait"))
    var bytes: [UInt8] = []
    while !bytes.contains(UInt8(ascii: "\n")) { _ = child.read(into: &bytes, atMost: 100, within: 10) }
    let processes = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isWhitespace)
      .compactMap { Int32($0) }
    #expect(processes.count == 2 && processes.allSatisfy(isAlive))
    #expect(child.read(into: &bytes, atMost: 100, within: 0.05) == .nothing)
    #expect(!child.hasEnded)
    #expect(child.end() == .signal(SIGTERM))
    #expect(kill(processes[0], 0) == -1)
    #expect(isGone(processes[1]))
    #expect(child.read(into: &bytes, atMost: 100, within: 10) == .over)
  }

  @Test func ignoresTheSignal() throws {
    let child = try Child(.shell("trap '' TERM; echo $$; while :; do sleep 0.05; done"))
    var bytes: [UInt8] = []
    #expect(child.read(into: &bytes, atMost: 100, within: 10) == .bytes)
    let process = try #require(
      Int32(String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .newlines)))
    #expect(child.end(within: 0.3) == .signal(SIGKILL))
    #expect(kill(process, 0) == -1)
  }

  /// What a child leaves behind holds its pipes, and is not waited for.
  @Test func leavesOthersBehind() throws {
    let begin = ContinuousClock.now
    let text = try output("sleep 1000 & echo $!")
    #expect(isGone(try #require(Int32(text.trimmingCharacters(in: .newlines)))))
    #expect(ContinuousClock.now - begin < .seconds(20))
  }

  /// What is given later is read at once, and the end comes when there is no more.
  @Test func inputInPieces() throws {
    let child = try Child(
      .shell("while read line; do echo \"<$line>\"; done; echo end"), input: [], isComplete: false)
    var bytes: [UInt8] = []
    for (line, wanted) in [("one", "<one>\n"), ("two", "<one>\n<two>\n")] {
      child.give(Array((line + "\n").utf8))
      for _ in 0..<100 where String(decoding: bytes, as: UTF8.self) != wanted {
        _ = child.read(into: &bytes, atMost: 100, within: 1)
      }
      #expect(String(decoding: bytes, as: UTF8.self) == wanted)
    }
    // Waiting for one that waits for us takes no time of the processor.
    let before = processorSeconds()
    #expect(child.read(into: &bytes, atMost: 100, within: 0.5) == .nothing)
    #expect(processorSeconds() - before < 0.2)
    child.endInput()
    while child.read(into: &bytes, atMost: 100, within: 10) != .over {}
    #expect(String(decoding: bytes, as: UTF8.self) == "<one>\n<two>\nend\n" && child.end() == .status(0))
  }

  private func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  /// The system ends a child with the thread that started it, where that is wanted.
  @Test(arguments: [nil, 1 << 32]) func endsWithThread(memory: Int?) throws {
    var command = ChildCommand.shell("echo $$; exec sleep 1000", memoryBytes: memory)
    command.endsWithThread = true
    let wanted = command
    // On a thread of its own, because threads of the tests may end whenever they like.
    let place = Handed()
    let thread = Thread {
      place.child = try? Child(wanted)
      _ = place.child?.read(into: &place.bytes, atMost: 100, within: 60)
    }
    thread.start()
    while !thread.isFinished { Thread.sleep(forTimeInterval: 0.01) }
    let process = try #require(
      Int32(String(decoding: place.bytes, as: UTF8.self).trimmingCharacters(in: .newlines)))
    #expect(isGone(process))
    #expect(place.child?.end() == .signal(SIGKILL))
  }

  /// What a thread hands to the one that waits for its end.
  private final class Handed: @unchecked Sendable {
    var child: Child?
    var bytes: [UInt8] = []
  }

  /// Nobody holds it any more.
  @Test func dropped() throws {
    var child: Child? = try Child(.shell("echo $$; exec sleep 1000"))
    var bytes: [UInt8] = []
    _ = child?.read(into: &bytes, atMost: 100, within: 10)
    let process = try #require(
      Int32(String(decoding: bytes, as: UTF8.self).trimmingCharacters(in: .newlines)))
    child = nil
    #expect(kill(process, 0) == -1)
  }

  /// No descriptor, no signal that is ignored or blocked, a group of its own.
  @Test func inheritsNothing() throws {
    let open = fcntl(0, F_DUPFD, 10)
    defer { close(open) }
    // 3 is the folder that ls reads.
    #expect(open >= 10)
    #expect(try output("exec ls /proc/self/fd") == "0\n1\n2\n3\n")
    let numbers = try output("echo $$; exec cut -d' ' -f5 /proc/self/stat").split(separator: "\n")
    #expect(numbers.count == 2 && numbers[0] == numbers[1], "\(numbers)")
    // An emulator has settings of its own.
    if Tool.isEmulated { return }
    let before = signal(SIGUSR1, SIG_IGN)
    defer { signal(SIGUSR1, before) }
    let signals = try output("grep -E '^Sig(Blk|Ign):' /proc/self/status").split(
      whereSeparator: \.isWhitespace)
    let sets = try signals.filter { !$0.hasPrefix("Sig") }.map { try #require(UInt64($0, radix: 16)) }
    // 32 and 33 are the C library's own.
    #expect(sets.count == 2 && sets.allSatisfy { $0 & ~(3 << 31) == 0 }, "\(signals)")
  }

  @Test func memory() throws {
    #expect(try output("ulimit -v", memory: 200 << 20) == "\(200 << 10)\n")
    #expect(throws: ChildError.self) {
      _ = try output("exec dd if=/dev/zero of=/dev/null bs=300M count=1", memory: 200 << 20)
    }
    #expect(try output("dd if=/dev/zero of=/dev/null bs=300M count=1 2>&1 && echo read").hasSuffix("read\n"))
  }
}
