extension String {
  /// The text without white space at both ends, as Python's `str.strip()` leaves it.
  package var strippedAsPython: String { droppingPythonSpace(atStart: true, atEnd: true) }

  func droppingPythonSpace(atStart: Bool, atEnd: Bool) -> String {
    let scalars = unicodeScalars
    guard let first = scalars.firstIndex(where: { !$0.isPythonSpace }),
      let last = scalars.lastIndex(where: { !$0.isPythonSpace })
    else { return "" }
    let start = atStart ? first : scalars.startIndex
    let end = atEnd ? scalars.index(after: last) : scalars.endIndex
    return String(scalars[start..<end])
  }
}
