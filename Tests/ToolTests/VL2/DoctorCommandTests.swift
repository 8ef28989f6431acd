import Foundation
import TestModels
import TestSupport
import Testing
import VL2Base

/// `vl2 doctor` on the machine that tests.
@Suite struct DoctorCommandTests {
  @Test func doctor() throws {
    let vl2 = Tool("vl2")
    let model = try PackedModels.path("nano-mha", .q4)
    let run = try vl2.run(["doctor", "--model", model], environment: ["VL2_ISA": ""])
    #expect(run.status == 0, "\(run.errors)")
    for word in ["cores", "kernels", "page size", "memory", "cgroup", "storage", model] {
      #expect(run.output.contains(word), "\(word): \(run.output)")
    }
    #expect(!run.output.contains("\u{1B}"))
    #expect(try vl2.run(["doctor"], environment: ["VL2_MODEL": ""]).status == 0)
    #expect(try vl2.run(["doctor", "--model", "/none"]).errors.contains("/none"))
  }

  /// A value that doctor shows.
  private func row(_ name: String, script: String) throws -> String {
    let run = try Tool("vl2").run(["doctor"], environment: ["VL2_MODEL": ""], script: script)
    #expect(run.status == 0, "\(run.errors)")
    let line = run.output.split(separator: "\n").first { $0.hasPrefix(name + " ") }
    return try #require(line, "\(run.output)").dropFirst(name.count).trimmed()
  }

  /// How many threads answer.
  private func threads(script: String) throws -> Int? {
    let model = try PackedModels.path("nano-mha", .q4)
    let run = try Tool("vl2").run(
      ["ask", "--json", "--model", model, "--max-tokens", "1", "Which?"], script: script)
    #expect(run.status == 0, "\(run.errors)")
    return try jsonObject(run.output)["threads"] as? Int
  }

  @Test func processorsThatItMayRunOn() throws {
    let all = Processors.system
    let only = try #require(all.allowed.last)
    let script = "exec taskset -c \(only) \"$@\""
    let usable = try row("usable", script: script)
    #expect(usable.hasPrefix("1, which is the default of --threads"), "\(usable)")
    #expect(usable.contains("may run on 1 of \(all.online) processors") == (all.online > 1), "\(usable)")
    #expect(try threads(script: script) == 1)
    #expect(try threads(script: "exec \"$@\"") == all.answering)
  }

  /// A control group with a processor's time, where this system lets one be made; elsewhere none is reported that is not
  /// there.
  @Test func timeThatItsControlGroupHas() throws {
    guard let group = LimitedGroup() else {
      let usable = try row("usable", script: "exec \"$@\"")
      #expect(
        usable.contains("its control group has the time of") == (Processors.system.quota != nil), "\(usable)")
      return
    }
    defer { group.remove() }
    let script = "echo $$ > \(group.folder)/cgroup.procs && exec \"$@\""
    let usable = try row("usable", script: script)
    #expect(usable.hasPrefix("1, which is the default of --threads"), "\(usable)")
    #expect(usable.contains("its control group has the time of 1 processors"), "\(usable)")
    #expect(try threads(script: script) == 1)
  }
}

/// A control group, of version 1 or 2, that may use one processor's time.
private struct LimitedGroup {
  let folder: String

  /// nil where nobody or only somebody else may make one.
  init?() {
    for parent in ["/sys/fs/cgroup", "/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct"] {
      let folder = "\(parent)/vl2-test-\(getpid())"
      guard mkdir(folder, 0o755) == 0 else { continue }
      let limits = ["cpu.max": "100000 100000", "cpu.cfs_quota_us": "100000"]
      for (name, text) in limits where FileManager.default.fileExists(atPath: folder + "/" + name) {
        // Writing in place: these files cannot be replaced.
        guard let file = FileHandle(forWritingAtPath: folder + "/" + name) else { continue }
        if (try? file.write(contentsOf: Data(text.utf8))) != nil {
          self.folder = folder
          return
        }
      }
      rmdir(folder)
    }
    return nil
  }

  func remove() { rmdir(folder) }
}
