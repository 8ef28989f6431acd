extension StringProtocol {
  /// Without the spaces, tabs and line ends at both ends.
  package func trimmed() -> String { trimmed(of: \.isWhitespace) }

  /// Without the characters at both ends that `isMeant` picks.
  package func trimmed(of isMeant: (Character) -> Bool) -> String {
    guard let first = firstIndex(where: { !isMeant($0) }), let last = lastIndex(where: { !isMeant($0) })
    else {
      return ""
    }
    return String(self[first...last])
  }
}
