/// Which matrix gets which code: the first rule that matches a matrix's name decides. Vectors are always
/// plain float32.
public struct Recipe: Sendable, Equatable {
  public var rules: [RecipeRule]

  public init(rules: [RecipeRule]) { self.rules = rules }

  /// The recipe for packing with `code`. Router weights stay float32, because a route that flips changes
  /// everything after it. Embeddings get at least int8, because their rows are looked up and cost no time.
  public init(matrices code: WeightCode) {
    rules = [
      RecipeRule(pattern: "language.model.layers.*.mlp.gate.weight", code: .f32),
      RecipeRule(pattern: "language.model.embed_tokens.weight", code: code == .q4 ? .int8 : code),
      RecipeRule(pattern: "*", code: code),
    ]
  }

  /// The code of the matrix `name`; nil if no rule matches.
  public func code(for name: String) -> WeightCode? {
    rules.first { $0.matches(name) }?.code
  }
}

extension RecipeRule {
  /// Whether `name` matches the pattern. Every `*` in the pattern stands for any characters.
  public func matches(_ name: String) -> Bool {
    let text = Array(name.utf8)
    let glob = Array(pattern.utf8)
    var at = 0
    var place = 0
    // The place after the last star, and where the text begins that the star does not stand for.
    var star: (place: Int, rest: Int)?
    while at < text.count {
      if place < glob.count, glob[place] == UInt8(ascii: "*") {
        place += 1
        star = (place, at)
      } else if place < glob.count, glob[place] == text[at] {
        place += 1
        at += 1
      } else if let last = star {
        star = (last.place, last.rest + 1)
        place = last.place
        at = last.rest + 1
      } else {
        return false
      }
    }
    return glob[place...].allSatisfy { $0 == UInt8(ascii: "*") }
  }
}
