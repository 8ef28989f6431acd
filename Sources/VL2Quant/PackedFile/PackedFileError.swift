import VL2Base

/// A packed file that cannot be read or written.
public enum PackedFileError: ReportableError, Equatable {
  /// The file is not there.
  case missing(path: String)
  /// The system refused an operation.
  case system(path: String, operation: String, reason: SystemReason)
  /// Another program is writing the file.
  case busy(path: String)
  /// Work that was begun cannot be resumed; `difference` says what has changed, and `setting` which choice
  /// that is, if any.
  case otherWork(path: String, difference: String, setting: Setting?)
  /// The file does not begin like a packed file, nor like any other kind that is known.
  case notPacked(path: String)
  /// It is a file of another kind.
  case otherKind(path: String, kind: FileKind)
  /// It is a folder.
  case folder(path: String, isCheckpoint: Bool)
  case otherVersion(path: String, version: Int)
  /// The file is shorter or longer than its head says.
  case length(path: String, actual: Int, expected: Int)
  /// A field of head or manifest has an impossible value; `field` names it.
  case invalid(path: String, field: String, problem: String)
  /// The file was written to while it was read.
  case changed(path: String)
  /// Another model is now where the opened one was.
  case otherModel(path: String)
  /// The bytes of a section are not those that were written.
  case damagedSection(path: String, section: String)
  /// Unused bytes before a section or the manifest are not the zeros that were written.
  case damagedPadding(path: String, before: String)
  /// A tensor that the model needs is not there with the shape that was asked for.
  case shape(path: String, tensor: String)

  public var kind: ErrorKind {
    switch self {
    case .missing: .noInput
    case .system(_, _, let reason): reason.kind
    case .busy: .busy
    default: .badData
    }
  }

  public var problem: String {
    switch self {
    case .missing(let path): "\(path): no such file"
    case .system(let path, let operation, let reason): "\(path): cannot \(operation): \(reason.problem)"
    case .busy(let path): "\(path): another program is writing it"
    case .otherWork(let path, let difference, _): "\(path): cannot be gone on with: \(difference)"
    case .notPacked(let path): "\(path): not a packed model"
    case .otherKind(let path, let kind): "\(path): this is \(kind.rawValue), not a packed model"
    case .folder(let path, true): "\(path): this is the folder of a checkpoint, not a packed model"
    case .folder(let path, false): "\(path): this is a folder, not a packed model"
    case .otherVersion(let path, let version):
      "\(path): packed in version \(version) of the format, this program reads version \(PackedFile.formatVersion)"
    case .length(let path, let actual, let expected) where actual > expected:
      "\(path): has \(actual) bytes, \(actual - expected) more than were written"
    case .length(let path, let actual, let expected): "\(path): has \(actual) bytes of \(expected)"
    case .invalid(let path, let field, let problem): "\(path): \(field) \(problem)"
    case .changed(let path): "\(path): was written to while it was in use"
    case .otherModel(let path): "\(path): is another model than the one that was opened"
    case .damagedSection(let path, let section): "\(path): section \(section) is damaged"
    case .damagedPadding(let path, let part): "\(path): the padding before \(part) is damaged"
    case .shape(let path, let tensor):
      "\(path): \(tensor) is missing or has another shape than the model needs"
    }
  }

  public var hint: Hint {
    switch self {
    case .missing: "give the path of a packed model"
    case .system(_, _, let reason): reason.hint
    case .busy: "wait until that ends"
    case .otherWork(_, _, let setting?): "give the same \(setting), or pack without \(.resume) to begin anew"
    case .otherWork(_, _, nil): "pack without \(.resume) to begin anew"
    case .otherKind(_, .gguf): "take the publisher's checkpoint and make one with \(.packing)"
    case .otherKind(_, let kind): kind.remedy ?? "make one with \(.packing)"
    case .notPacked, .folder: "make one with \(.packing)"
    case .otherVersion, .shape: "pack the checkpoint again"
    case .length(_, let actual, let expected) where actual < expected:
      "the file is not complete, copy or pack it again"
    case .length, .damagedSection, .damagedPadding: "copy or pack the file again"
    case .invalid: "the file is damaged, copy or pack it again"
    case .changed: "ask again when it is whole"
    case .otherModel: "start the program again"
    }
  }
}
