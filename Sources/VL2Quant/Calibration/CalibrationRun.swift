import VL2Base

/// What one run of collecting read. It holds counts and hashes: no picture or text can be read out of it.
package struct CalibrationRun: Sendable, Equatable {
  /// SHA-256 over the sections of the packed file that computed, and the code that most of its weights have.
  package var packedFile: String
  package var code: String
  /// SHA-256 of all pictures, questions and texts and of what answers may be.
  package var inputs: String
  /// Prompts that there are, and those that are done: fewer where collecting was interrupted.
  package var prompts: Int
  package var done = 0
  package var pictures = 0
  package var questions = 0
  package var texts = 0
  /// Positions of pictures and of text in prompts, and tokens that were answered.
  package var pictureTokens = 0
  package var textTokens = 0
  package var answerTokens = 0

  package init(packedFile: String, code: String, inputs: String, prompts: Int) {
    (self.packedFile, self.code, self.inputs, self.prompts) = (packedFile, code, inputs, prompts)
  }

  package var isComplete: Bool { done == prompts }

  private static var counts: [(name: String, path: WritableKeyPath<CalibrationRun, Int>)] {
    [
      ("answerTokens", \.answerTokens), ("done", \.done), ("pictureTokens", \.pictureTokens),
      ("pictures", \.pictures), ("prompts", \.prompts), ("questions", \.questions),
      ("textTokens", \.textTokens), ("texts", \.texts),
    ]
  }

  var encoded: String {
    let counts = Self.counts.map { "\"\($0)\":\(self[keyPath: $1])" }.joined(separator: ",")
    return "{\"code\":\(JSONText.quoted(code)),\"inputs\":\(JSONText.quoted(inputs)),"
      + "\"packedFile\":\(JSONText.quoted(packedFile)),\(counts)}"
  }

  init(_ object: ManifestObject) throws {
    self.init(
      packedFile: try object.string("packedFile"), code: try object.string("code"),
      inputs: try object.string("inputs"), prompts: try object.integer("prompts"))
    for (name, path) in Self.counts {
      self[keyPath: path] = try object.integer(name)
      guard (0...1 << 53).contains(self[keyPath: path]) else {
        throw ManifestFailure(problem: "has \(self[keyPath: path]) at runs.\(name), where a count belongs")
      }
    }
    guard prompts > 0, done <= prompts else {
      throw ManifestFailure(problem: "says that \(done) of \(prompts) prompts are done")
    }
  }
}
