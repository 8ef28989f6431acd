import Foundation
import TestModels
import Testing
import VL2Quant
import VL2Run

/// Reads in the order in which they are wanted.
@Suite struct ReadQueueTests {
  /// A read that is held back takes its time, after a pause too.
  @Test func heldReadsTakeTheirTime() throws {
    let file = try PackedModels.file("nano-mha", .q4)
    let section = try #require(file.section("layer.1.expert.0"))
    let size = file.manifest.sections[section].storedLength
    let memory = try PageRegion(bytes: 1 << 16)
    let queue = ReadQueue(file, checks: true, bytesPerSecond: size * 50)
    // What it reads into has to be there until it has stopped.
    defer { withExtendedLifetime(memory) { queue.stop() } }
    for _ in 0..<3 {
      Thread.sleep(forTimeInterval: 0.03)
      let took = try ContinuousClock().measure {
        try queue.wait(for: queue.load(section, into: memory.base, urgent: true))
      }
      #expect(took >= .milliseconds(19.9))
    }
  }

  /// What is wanted does not wait for what is expected, however much of that there is.
  @Test func urgentReadsPassExpectedOnes() throws {
    let file = try PackedModels.file("nano-mha", .q4)
    let sections = try (0..<8).map { try #require(file.section("layer.1.expert.\($0)")) }
    let size = file.manifest.sections[sections[0]].storedLength
    let memory = try PageRegion(bytes: 9 << 16)
    // A read takes about 40 ms. A busy machine may wake this thread too late to see what passed what, but not every
    // time; in a queue that kept to its order the last one would always be done.
    var passed = false
    for _ in 0..<20 where !passed {
      let queue = ReadQueue(file, checks: true, bytesPerSecond: size * 25)
      let expected = sections.enumerated().map { place, section in
        queue.load(section, into: memory.base + place << 16, urgent: false)
      }
      try queue.wait(for: queue.load(sections[0], into: memory.base + 8 << 16, urgent: true))
      passed = try !queue.isDone(expected[7])
      withExtendedLifetime(memory) { queue.stop() }
    }
    #expect(passed)
  }

  /// A load that nobody wants any more is never read, and leaves the others as they were.
  @Test func cancelledLoads() throws {
    let file = try PackedModels.file("nano-mha", .q4)
    let sections = try (0..<8).map { try #require(file.section("layer.1.expert.\($0)")) }
    let queue = ReadQueue(file, checks: true, bytesPerSecond: nil)
    let memory = try PageRegion(bytes: 8 << 16)
    // What it reads into has to be there until it has stopped.
    defer { withExtendedLifetime(memory) { queue.stop() } }
    for round in 0..<20 {
      let loads = sections.enumerated().map { place, section in
        queue.load(section, into: memory.base + place << 16, urgent: (place + round) % 2 == 0)
      }
      let dropped = loads[round % 8]
      #expect(queue.cancel(dropped, waiting: true))
      for load in loads where load !== dropped {
        try queue.wait(for: load)
        let bytes = try file.sectionBytes(file.manifest.sections[load.section].name)
        let place = try #require(loads.firstIndex { $0 === load })
        #expect(memcmp(memory.base + place << 16, try #require(bytes.baseAddress), bytes.count) == 0)
      }
    }
    #expect(queue.snapshot().loads + queue.snapshot().cancelled >= 160)
  }
}
