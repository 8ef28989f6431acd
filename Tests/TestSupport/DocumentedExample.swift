import Foundation

/// Whether the sources are at hand: tests that were built for another machine run without them.
public let sourcesAreAtHand = FileManager.default.fileExists(atPath: #filePath)

/// Whether a documentation page shows, word for word, what stands in a file between the lines `// example begins` and
/// `// example ends`.
///
/// - Parameters:
///   - page: relative to the package, for example "Sources/VL2Run/VL2Run.docc/VL2Run.md".
///   - file: relative to the package, or a path.
public func shows(_ page: String, exampleOf file: String) throws -> Bool {
  let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..")
  let text = try String(contentsOf: package.appendingPathComponent(page), encoding: .utf8)
  let source = try String(contentsOf: URL(fileURLWithPath: file, relativeTo: package), encoding: .utf8)
  let parts = source.components(separatedBy: "// example begins\n").dropFirst()
  guard let example = parts.first?.components(separatedBy: "// example ends").first else { return false }
  return text.contains("```swift\n\(example)```")
}
