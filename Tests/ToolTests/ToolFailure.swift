import TestSupport
import Testing

/// One line on standard error that begins with the program's name and names `part`, nothing on standard output.
func expectFailure(
  _ run: ToolRun, status: Int32, naming part: String, _ words: [String] = [],
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(run.status == status, "\(words): \(run.errors)", sourceLocation: sourceLocation)
  #expect(run.output.isEmpty, "\(words): \(run.output)", sourceLocation: sourceLocation)
  #expect(
    run.errors.hasPrefix("\(run.program): ") && run.errors.hasSuffix("\n"), "\(words): \(run.errors)",
    sourceLocation: sourceLocation)
  #expect(
    run.errors.split(separator: "\n").count == 1, "\(words): \(run.errors)", sourceLocation: sourceLocation)
  #expect(run.errors.contains(part), "\(words): \(run.errors)", sourceLocation: sourceLocation)
}
