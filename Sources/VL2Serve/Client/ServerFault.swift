import VL2Base

/// A server that is to be asked and cannot be.
package struct ServerFault: ReportableError {
  package var kind: ErrorKind
  package var problem: String
  package var hint: Hint

  init(_ kind: ErrorKind, _ problem: String, _ hint: Hint) {
    (self.kind, self.problem, self.hint) = (kind, problem, hint)
  }
}
