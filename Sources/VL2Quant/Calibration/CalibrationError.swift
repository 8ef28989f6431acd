import VL2Base

/// Statistics that cannot be used.
package enum CalibrationError: ReportableError, Equatable {
  /// The file holds something else, or not all that it should.
  case invalid(path: String, problem: String)
  /// The statistics were collected with another model.
  case otherModel(path: String, problem: String)
  /// Collecting was interrupted.
  case incomplete(path: String, done: Int, prompts: Int)
  /// Two files hold what the same run collected.
  case countedTwice(path: String)
  /// Collecting was begun with something else.
  case otherWork(path: String, difference: String)

  package var kind: ErrorKind {
    switch self {
    case .countedTwice, .otherWork: .usage
    default: .badData
    }
  }

  package var problem: String {
    switch self {
    case .invalid(let path, let problem): "\(path): not usable as statistics: \(problem)"
    case .otherModel(let path, let problem): "\(path): statistics of another model: \(problem)"
    case .incomplete(let path, let done, let prompts):
      "\(path): collecting was interrupted after \(done) of \(prompts) prompts"
    case .countedTwice(let path): "\(path): holds a run that is counted already"
    case .otherWork(let path, let difference): "\(path): was begun with \(difference)"
    }
  }

  package var hint: Hint {
    switch self {
    case .invalid: "take a file that 'vl2 calibrate' wrote, or collect again"
    case .otherModel: "collect with a packing of the checkpoint that is packed"
    case .incomplete: "go on with \(.resume)"
    case .countedTwice: "give each run once"
    case .otherWork: "give what it was begun with, or delete it"
    }
  }
}
