import VL2Base

/// A packed file that cannot be read or written.
public enum PackedFileError: ReportableError, Equatable {
  /// The file is not there.
  case missing(path: String)
  /// The system refused an operation; `reason` is its message and what to do.
  case system(path: String, operation: String, reason: String)
  /// Another program is writing the file.
  case busy(path: String)
  /// Work that was begun cannot go on; `difference` says what is not as it was.
  case otherWork(path: String, difference: String)
  /// The file does not begin as a packed file does.
  case notPacked(path: String)
  case otherVersion(path: String, version: Int)
  /// The file is shorter or longer than its head says.
  case length(path: String, actual: Int, expected: Int)
  /// A field of head or manifest that cannot be; `field` names it.
  case invalid(path: String, field: String, problem: String)
  /// The file was written to while it was read.
  case changed(path: String)
  /// Where the opened model was there is another one now.
  case otherModel(path: String)
  /// Bytes of a section are not those that were written.
  case damagedSection(path: String, section: String)
  /// Bytes that nobody uses, in front of a section or the manifest, are not the zeros that were written.
  case damagedPadding(path: String, before: String)
  /// A tensor that the model needs, asked for with a shape that it does not have.
  case shape(path: String, tensor: String)

  public var kind: ErrorKind {
    switch self {
    case .missing: .noInput
    case .system: .inputOutput
    case .busy: .busy
    default: .badData
    }
  }

  public var description: String {
    switch self {
    case .missing(let path): "\(path): no such file; give the path of a packed model"
    case .system(let path, let operation, let reason): "\(path): cannot \(operation): \(reason)"
    case .busy(let path): "\(path): another program is writing it; wait until that ends"
    case .otherWork(let path, let difference):
      "\(path): cannot be gone on with: \(difference); pack without --resume to begin anew"
    case .notPacked(let path):
      "\(path): not a packed model; make one with vl2-convert pack CHECKPOINT -o FILE"
    case .otherVersion(let path, let version):
      "\(path): packed in version \(version) of the format, this program reads version \(PackedFile.formatVersion); pack the checkpoint again"
    case .length(let path, let actual, let expected) where actual > expected:
      "\(path): has \(actual) bytes, \(actual - expected) more than were written; copy or pack the file again"
    case .length(let path, let actual, let expected):
      "\(path): has \(actual) bytes of \(expected); the file is not complete, copy or pack it again"
    case .invalid(let path, let field, let problem):
      "\(path): \(field) \(problem); the file is damaged, copy or pack it again"
    case .changed(let path): "\(path): was written to while it was in use; ask again when it is whole"
    case .otherModel(let path):
      "\(path): is another model than the one that was opened; start the program again"
    case .damagedSection(let path, let section):
      "\(path): section \(section) is damaged; copy or pack the file again"
    case .damagedPadding(let path, let part):
      "\(path): the padding before \(part) is damaged; copy or pack the file again"
    case .shape(let path, let tensor):
      "\(path): \(tensor) is missing or has another shape than the model needs; pack the checkpoint again"
    }
  }
}
