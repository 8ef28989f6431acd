/// Rules that JSON texts follow.
///
/// A rule refers to other rules by their index, so a rule may contain itself.
package struct Grammar: Sendable {
  package enum Rule: Sendable {
    case literal([UInt8])
    /// All of these, one after the other.
    case sequence([Int])
    /// One of these.
    case choice([Int])
    /// A JSON string of `least` to `most` characters (Unicode scalars).
    case string(least: Int, most: Int?)
    case number(NumberRange)
    /// The elements between an array's brackets, or the members of an object whose names are not given.
    case elements(of: Int, least: Int, most: Int?, separator: Int)
    /// The members between an object's braces, in this order.
    case members([Member], separator: Int)
  }

  package struct Member: Sendable {
    /// The name with its colon, then the value.
    var rule: Int
    var isRequired: Bool
  }

  package var rules: [Rule] = []
  package var root = 0

  package init() {}

  package mutating func add(_ rule: Rule) -> Int {
    rules.append(rule)
    return rules.count - 1
  }
}
