import SIMDKernels
import Testing

@Suite struct PeakTests {
  /// As many multiply-adds as rounds times a number of its own.
  @Test(arguments: KernelSet.all) func countsItsWork(kernels: KernelSet) {
    for loop in [kernels.functions.peak_i8, kernels.functions.peak_f32] {
      guard let loop else {
        Issue.record("a loop is missing")
        continue
      }
      let one = loop(1)
      #expect(one > 0 && one % 4 == 0)
      #expect(loop(0) == 0)
      #expect(loop(1000) == 1000 * one)
    }
  }
}
