import Foundation
import Glibc
import TestFrames
import TestSupport
import Testing
import VL2Base
import VL2Frames
import VL2Run

@Suite struct SourceTests {
  private static let pictures: [[UInt8]] = (0..<4).map { index in
    DrawnScene(width: 48 + 8 * index, height: 40).picture(seed: UInt64(index)).jpeg()
  }
  private var pictures: [[UInt8]] { Self.pictures }

  private func bytes(_ frame: Frame) -> [UInt8] {
    guard case .encoded(let bytes) = frame.content else { return [] }
    return bytes
  }

  /// What comes, until an event or the end.
  private func next(_ source: any FrameSource, within seconds: Double = 20) throws -> [UInt8]? {
    guard case .frame(let frame) = try source.next(within: seconds) else { return nil }
    return bytes(frame)
  }

  @Test func files() throws {
    try withTemporaryFolder { folder in
      try write(pictures.flatMap { $0 }, to: folder + "/stream")
      let descriptor = open(folder + "/stream", O_RDONLY)
      defer { close(descriptor) }
      let source = InputSource(descriptor)
      #expect(!source.isLive)
      for picture in pictures { #expect(try next(source) == picture) }
      guard case .end = try source.next(within: 1) else {
        Issue.record("no end")
        return
      }
      #expect(source.counts == FrameCounts())
    }
  }

  /// Of a pipe only the newest frame counts.
  @Test func pipes() throws {
    var ends: [Int32] = [0, 0]
    #expect(pipe(&ends) == 0)
    let source = InputSource(ends[0])
    #expect(source.isLive)
    guard case .nothing = try source.next(within: 0.05) else {
      Issue.record("something")
      return
    }
    let all = pictures.flatMap { $0 }
    #expect(all.count < 60_000 && Glibc.write(ends[1], all, all.count) == all.count)
    #expect(try next(source) == pictures[3])
    #expect(source.counts == FrameCounts(dropped: 3))
    _ = Glibc.write(ends[1], Array(pictures[1].dropLast(2)), pictures[1].count - 2)
    close(ends[1])
    // The last one lacks its end mark, and the stream is over.
    #expect(try next(source) == Array(pictures[1].dropLast(2)))
    guard case .end = try source.next(within: 1) else {
      Issue.record("no end")
      return
    }
    close(ends[0])
  }

  /// What writes without end, and no pictures, keeps nobody waiting.
  @Test func floods() throws {
    let zeros = open("/dev/zero", O_RDONLY)
    defer { close(zeros) }
    let begin = ContinuousClock.now
    for source in [InputSource(zeros), CommandSource.shell("exec yes")] as [any FrameSource] {
      #expect(source.isLive)
      try source.start()
      guard case .nothing = try source.next(within: 0.2), case .nothing = try source.next(within: 0) else {
        Issue.record("something")
        return
      }
      source.stop()
    }
    #expect(ContinuousClock.now - begin < .seconds(10))
  }

  @Test func commands() throws {
    try withTemporaryFolder { folder in
      for (index, picture) in pictures.enumerated() { try write(picture, to: "\(folder)/\(index)") }
      let source = CommandSource.shell(
        "cd \(folder); cat 0; echo header; cat 1; sleep 0.3; cat 2; echo broke >&2; exit 5")
      try source.start()
      #expect(try next(source).map { pictures[0...1].contains($0) } == true)
      while let picture = try next(source, within: 5) { if picture == pictures[2] { break } }
      let error = reported { _ = try source.next(within: 5) }
      #expect(
        error?.problem.contains("no more frames: the program ended with status 5: broke") == true,
        "\(String(describing: error))")
      // Again from the beginning.
      try source.start()
      #expect(try next(source) != nil)
      source.stop()
    }
  }

  @Test func secrets() throws {
    #expect(CommandSource.rtsp("rtsp://me:secret@cam/stream").name == "rtsp://…@cam/stream")
    #expect(CommandSource.rtsp("rtsp://cam/stream").name == "rtsp://cam/stream")
    #expect(StillSource("http://me:a@b@cam/x").name == "http://…@cam/x")
    let source = CommandSource(
      .shell("echo 'rtsp://me:secret@cam: refused' >&2; exit 1"), name: "rtsp://…@cam",
      secret: "rtsp://me:secret@cam")
    try source.start()
    let error = try #require(reported { _ = try source.next(within: 10) })
    #expect(error.problem.hasSuffix("status 1: rtsp://…@cam: refused"), "\(error)")
  }

  @Test func folders() throws {
    try withTemporaryFolder { folder in
      func put(_ name: String, _ bytes: [UInt8], time: Double) throws {
        try write(bytes, to: folder + "/" + name)
        try FileManager.default.setAttributes(
          [.modificationDate: Date(timeIntervalSince1970: time)], ofItemAtPath: folder + "/" + name)
      }
      try put("b.jpg", pictures[0], time: 1000)
      try put("a.jpg", pictures[1], time: 2000)
      try put("notes.txt", [1], time: 3000)
      try put(".hidden.jpg", pictures[2], time: 3000)
      let source = FolderSource(folder)
      try source.start()
      guard case .frame(let frame) = try source.next(within: 5) else {
        Issue.record("no frame")
        return
      }
      // Those that were there before are over, but for the newest.
      #expect(bytes(frame) == pictures[1] && frame.name == "a.jpg" && frame.time.wall == 2000)
      #expect(try next(source, within: 0.3) == nil)
      // Not whole yet.
      try put("c.jpg", Array(pictures[2].dropLast(200)), time: 4000)
      #expect(try next(source, within: 0.5) == nil)
      try put("d.jpg", pictures[3], time: 5000)
      #expect(try next(source) == pictures[3])
      try put("c.jpg", pictures[2], time: 4000)
      #expect(try next(source) == pictures[2])
      // The same name, written anew.
      try put("c.jpg", pictures[0], time: 6000)
      #expect(try next(source) == pictures[0])
      #expect(try next(source, within: 0.3) == nil)
      let all = FolderSource(folder, fromStart: true)
      try all.start()
      for picture in [pictures[0], pictures[1], pictures[3], pictures[0]] {
        #expect(try next(all) == picture)
      }
      try FileManager.default.removeItem(atPath: folder)
      #expect(reported { _ = try next(all) }?.problem == "\(folder): no such folder")
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    }
  }

  /// A still from a server, by curl.
  @Test func stills() throws {
    try withTemporaryFolder { folder in
      // In place of a server: what curl is told shows up in what this one prints.
      try write(
        "#!/bin/sh\ncat >\(folder)/asked; echo \"$@\" >\(folder)/words; cat \(folder)/still\n".utf8,
        to: folder + "/curl")
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder + "/curl")
      try write(pictures[0], to: folder + "/still")
      let source = StillSource("http://me:pass\"word@cam/still.jpg", interval: 0.2, program: folder + "/curl")
      try source.start()
      #expect(try next(source) == pictures[0])
      #expect(try next(source) == pictures[0])
      #expect(
        String(decoding: try TestSupport.bytes(of: folder + "/asked"), as: UTF8.self)
          == "url = \"http://me:pass\\\"word@cam/still.jpg\"\n")
      #expect(!String(decoding: try TestSupport.bytes(of: folder + "/words"), as: UTF8.self).contains("cam"))
      try FileManager.default.removeItem(atPath: folder + "/still")
      #expect(reported { while try next(source) == nil {} }?.kind == .unavailable)
    }
  }

  /// What hangs or ends is ended and started again, with pauses that grow, and nothing of it is left behind.
  @Test func kept() throws {
    try withTemporaryFolder { folder in
      try write(pictures[0], to: folder + "/0")
      let begun = folder + "/begun"
      // It hangs, then dies at once, then works.
      let line =
        "echo $$ >>\(begun); case $(wc -l <\(begun)) in 1) cat \(folder)/0; sleep 1000;; 2) exit 3;; *) cat \(folder)/0; sleep 1000;; esac"
      let kept = KeptSource(CommandSource.shell(line), hungAfter: 0.5, firstPause: 0.1)
      try kept.start()
      var events: [SourceEvent] = []
      var frames = 0
      let end = ContinuousClock.now + TestPatience.limit
      while frames < 2, ContinuousClock.now < end {
        switch kept.next(within: 0.05) {
        case .frame: frames += 1
        case .event(let event): events.append(event)
        case .nothing: break
        case .end: Issue.record("an end")
        }
      }
      #expect(frames == 2)
      // That it died in between is not told a second time.
      #expect(events == [.hung(seconds: 0.5), .back])
      kept.stop()
      let processes = try String(contentsOfFile: begun, encoding: .utf8).split(separator: "\n").compactMap {
        Int32($0)
      }
      #expect(processes.count == 3 && processes.allSatisfy { kill($0, 0) == -1 })
    }
  }

  /// A source that gives a frame at once, then none, and then takes longer to begin than it may be silent.
  private final class SlowStarter: FrameSource {
    let name = "slow"
    let isLive = true
    let isRestartable = true
    let counts = FrameCounts()
    let frame: Frame
    var starts = 0
    var began = ContinuousClock.now
    var isFirst = true

    init(_ frame: Frame) { self.frame = frame }

    func start() {
      starts += 1
      began = .now
    }

    func stop() {}

    func next(within seconds: Double) -> FrameArrival {
      if isFirst {
        isFirst = false
        return .frame(frame)
      }
      usleep(UInt32(seconds * 1e6))
      return starts > 1 && .now - began > .seconds(0.5) ? .frame(frame) : .nothing
    }
  }

  /// It is let begin, however busy the machine is.
  @Test func slowStarts() throws {
    let source = SlowStarter(Frame(.encoded(pictures[0])))
    let kept = KeptSource(source, hungAfter: 0.1, firstPause: 0.01, longestPause: 0.02)
    try kept.start()
    var events: [SourceEvent] = []
    while events.last != .back, source.starts < 20 {
      if case .event(let event) = kept.next(within: 0.01) { events.append(event) }
    }
    #expect(events == [.hung(seconds: 0.1), .back] && source.starts <= 5, "\(events) \(source.starts)")
  }

  @Test func times() {
    #expect(FrameTime(wall: 0, steady: 0).text == "1970-01-01T00:00:00.000Z")
    #expect(FrameTime(wall: 1_796_119_200.25, steady: 0).text == "2026-12-01T10:00:00.250Z")
  }
}
