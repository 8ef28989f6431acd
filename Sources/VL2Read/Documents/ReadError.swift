import VL2Base

/// Why a document or a video cannot be read.
package enum ReadError: ReportableError, Equatable {
  /// A program that the work needs is not installed.
  case programMissing(program: String, package: String)
  /// A program did not take the file; `reason` is what it said.
  case refused(path: String, program: String, reason: String)
  /// A program wrote no picture for so many seconds, or too much that is none.
  case stalled(path: String, program: String, reason: String)
  /// The file is neither a picture nor a document, or no video; `kind` is what it is, if that is known.
  case notReadable(path: String, kind: FileKind?)
  /// A document has fewer pages than are asked for.
  case noSuchPage(path: String, asked: Int, pages: Int)
  case tooManyPages(path: String, pages: Int, limit: Int)
  /// Work that is to go on was begun with something else.
  case otherWork(path: String, what: String)
  /// There is nothing to go on with.
  case nothingToResume(path: String)
  case inUse(path: String)

  package var kind: ErrorKind {
    switch self {
    case .programMissing, .stalled: .unavailable
    case .refused, .notReadable, .tooManyPages: .badData
    case .noSuchPage, .otherWork, .nothingToResume: .usage
    case .inUse: .busy
    }
  }

  package var problem: String {
    switch self {
    case .programMissing(let program, _): "\(program): no such program"
    case .refused(let path, let program, let reason):
      "\(path): \(program) cannot read it" + (reason.isEmpty ? "" : ": \(reason)")
    case .stalled(let path, let program, let reason): "\(path): \(program) \(reason)"
    case .notReadable(let path, let kind):
      "\(path): " + (kind.map { "this is \($0.rawValue)" } ?? "neither a picture, a PDF file nor a video")
    case .noSuchPage(let path, let asked, let pages):
      "\(path): there is no page \(asked): it has \(pages)"
    case .tooManyPages(let path, let pages, let limit):
      "\(path): claims to have \(pages) pages, more than \(limit)"
    case .otherWork(let path, let what): "\(path): was begun with other \(what)"
    case .nothingToResume(let path): "\(path): it is finished, so there is nothing to go on with"
    case .inUse(let path): "\(path): another program is writing it"
    }
  }

  package var hint: Hint {
    switch self {
    case .programMissing(_, let package): "install the Debian package \(package): 'apt install \(package)'"
    case .refused: "check that it is whole; it may want a password"
    case .stalled: "check the file; --program-seconds allows more time"
    case .notReadable: "give pictures (JPEG, PNG, WebP), PDF files, or one video"
    case .noSuchPage: "give pages that it has"
    case .tooManyPages: "give a part with --pages"
    case .otherWork: "give the same files and options, or leave --resume out to begin anew"
    case .nothingToResume: "leave --resume out to read it again"
    case .inUse: "wait for it, or give another path"
    }
  }
}
