/// How long a server is waited for, and how often it is asked again.
package struct Patience: Sendable {
  /// Seconds for one request and its response.
  package var seconds = 900.0
  /// How often a request is sent again where there was no answer to it.
  package var retries = 8
  /// Seconds before a request is sent again for the first time; each further time twice as many.
  package var firstPause = 1.0
  package var longestPause = 60.0
  /// Seconds after which a server that only ever says that it is busy is left.
  package var busySeconds = 1800.0
  /// The longest pause that a server may ask for.
  package static let longestRetryAfter = 300.0

  package init() {}

  /// Seconds to wait before the next of several tries, counted from 1.
  ///
  /// - Parameters:
  ///   - retryAfter: what the server asked for.
  ///   - share: in 0...1, so that those who were sent away together do not come back together.
  func pause(before retry: Int, retryAfter: Double?, share: Double) -> Double {
    let growing = min(longestPause, firstPause * Double(1 << min(max(0, retry - 1), 20)))
    let asked = min(retryAfter ?? 0, Self.longestRetryAfter)
    return max(asked, growing / 2) + growing / 2 * share
  }
}
