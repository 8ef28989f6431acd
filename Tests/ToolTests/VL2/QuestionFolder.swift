import Foundation
import TestSupport

/// Calls `body` with a folder that holds two pictures in `images`, and questions about them in `questions.txt`.
func withQuestionFolder(_ questions: String, _ body: (_ folder: String) throws -> Void) throws {
  try withTemporaryFolder { folder in
    try FileManager.default.createDirectory(atPath: folder + "/images", withIntermediateDirectories: true)
    for name in ["small.png", "grey.jpg"] {
      try FileManager.default.copyItem(
        atPath: Fixtures.path("golden/images/" + name), toPath: folder + "/images/" + name)
    }
    try write(questions.utf8, to: folder + "/questions.txt")
    try body(folder)
  }
}
