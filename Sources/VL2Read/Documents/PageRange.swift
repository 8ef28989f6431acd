/// Pages as people write them: 3-7, 3- (to the last), 3.
package struct PageRange: Sendable, Equatable {
  package var first: Int
  /// nil for the last page that there is.
  package var last: Int?

  package init(first: Int = 1, last: Int? = nil) {
    self.first = first
    self.last = last
  }

  /// nil for what is no range.
  package init?(_ text: String) {
    let parts = text.split(separator: "-", omittingEmptySubsequences: false)
    func number(_ part: Substring) -> Int? {
      part.count < 8 && part.allSatisfy { $0.isASCII && $0.isNumber }
        ? Int(part).flatMap { $0 > 0 ? $0 : nil } : nil
    }
    guard (1...2).contains(parts.count), let first = number(parts[0]) else { return nil }
    if parts.count == 1 {
      self.init(first: first, last: first)
    } else if parts[1].isEmpty {
      self.init(first: first)
    } else {
      guard let last = number(parts[1]), last >= first else { return nil }
      self.init(first: first, last: last)
    }
  }
}
