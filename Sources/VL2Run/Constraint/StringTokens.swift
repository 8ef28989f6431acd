/// A vocabulary's tokens between two characters of a JSON string, sorted out once, so that which of them may follow is
/// found without following each byte by byte.
struct StringTokens: Sendable {
  private struct Inside {
    var token: Int
    /// Characters that the token begins.
    var characters: Int
  }

  private struct Closing {
    var token: Int
    /// Characters before the quote that ends the string.
    var characters: Int
    /// What comes after it.
    var rest: [UInt8]
  }

  /// Tokens that stay within the string, those of few characters first.
  private let inside: [Inside]
  private let all: TokenSet
  private let closing: [Closing]

  init(_ tokens: [(id: Int32, bytes: [UInt8])], count: Int) {
    var inside: [Inside] = []
    var closing: [Closing] = []
    var all = TokenSet(count: count)
    var between = StringProgress.begin.after(UInt8(ascii: "\""))
    between?.count(0, least: 0, most: nil)
    for (id, bytes) in tokens {
      var progress = between
      var characters = 0
      var end: Int?
      for (index, byte) in bytes.enumerated() {
        let isBetween = progress?.isBetweenCharacters ?? false
        progress = progress?.after(byte)
        if progress?.isDone ?? true {
          end = index + 1
          break
        }
        characters += isBetween ? 1 : 0
      }
      guard let progress else { continue }
      if progress.isDone {
        closing.append(Closing(token: Int(id), characters: characters, rest: Array(bytes[(end ?? 0)...])))
      } else {
        inside.append(Inside(token: Int(id), characters: characters))
        all.insert(Int(id))
      }
    }
    self.inside = inside.sorted { ($0.characters, $0.token) < ($1.characters, $1.token) }
    self.closing = closing
    self.all = all
  }

  /// The tokens that may follow.
  func allowed(by machine: GrammarMachine, in place: GrammarMachine.StringPlace) -> TokenSet {
    var allowed = all
    if let most = place.most {
      for token in inside.reversed() {
        if token.characters <= most { break }
        allowed.remove(token.token)
      }
    }
    for token in closing where token.characters >= place.least && token.characters <= place.most ?? .max {
      var state: GrammarMachine.State? = place.end
      for byte in token.rest {
        state = state.flatMap { machine.state(after: byte, $0) }
        if state == nil { break }
      }
      if state != nil { allowed.insert(token.token) }
    }
    return allowed
  }
}
