import TestModels
import TestSupport
import Testing

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
}
