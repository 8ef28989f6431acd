import VL2Base

/// How many bits matrices may take, and which codes lose least within it.
package struct CodeBudget: Sendable, Equatable {
  /// What is bounded.
  package enum Limit: Sendable, Equatable {
    /// Bits a weight of all matrices that are multiplied, as a mean.
    case bits(Double)
    /// Bytes of the packed file.
    case size(Int)
  }

  /// What the budget came to.
  package struct Choice: Sendable, Equatable {
    package let losses: [CodeLoss]
    /// The places in `losses` of the groups that get int8; the others get q4.
    package let int8: Set<Int>

    package init(losses: [CodeLoss], int8: Set<Int>) {
      (self.losses, self.int8) = (losses, int8)
    }

    package var recipe: Recipe {
      var recipe = Recipe(matrices: .q4)
      let rules = losses.indices.filter(int8.contains).flatMap { losses[$0].group.patterns }
      recipe.rules.insert(contentsOf: rules.map { RecipeRule(pattern: $0, code: .int8) }, at: 0)
      return recipe
    }

    /// Bytes of the matrices that are multiplied.
    package var bytes: Int {
      losses.indices.reduce(0) { $0 + (int8.contains($1) ? losses[$1].int8Bytes : losses[$1].q4Bytes) }
    }

    package var bitsPerWeight: Double {
      8 * Double(bytes) / Double(max(1, losses.reduce(0) { $0 + $1.group.weights }))
    }

    /// What is lost, as a share of what q4 alone loses.
    package var lossShare: Double {
      let all = losses.reduce(0) { $0 + ($1.q4Loss ?? 0) }
      let left = losses.indices.reduce(0.0) {
        $0 + ((int8.contains($1) ? losses[$1].int8Loss : losses[$1].q4Loss) ?? 0)
      }
      return all > 0 ? left / all : 1
    }
  }

  package var limit: Limit

  package init(_ limit: Limit) { self.limit = limit }

  /// Gives int8 to the groups that save most for each byte, as far as the budget goes; what no longer fits is passed over
  /// for what does. Of equals the earlier group comes first, so that the choice is the same everywhere.
  ///
  /// - Parameter size: for a budget of the file's size, the bytes of the file that a recipe makes, at most.
  /// - Throws: `CodeBudgetError` for a budget below what q4 takes, or above what int8 takes everywhere.
  package func choose(_ losses: [CodeLoss], size: (Recipe) throws -> Int = { _ in 0 }) throws -> Choice {
    let smallest = Choice(losses: losses, int8: [])
    let largest = Choice(losses: losses, int8: Set(losses.indices))
    let room: Int
    switch limit {
    case .bits(let bits):
      let range = smallest.bitsPerWeight...max(smallest.bitsPerWeight, largest.bitsPerWeight)
      guard range.contains(bits) else {
        throw CodeBudgetError.bits(bits, smallest: range.lowerBound, largest: range.upperBound)
      }
      // A hundredth of a byte makes up for rounding.
      room = Int(bits * Double(losses.reduce(0) { $0 + $1.group.weights }) / 8 + 0.01) - smallest.bytes
    case .size(let bytes):
      let (least, most) = (try size(smallest.recipe), try size(largest.recipe))
      guard (least...max(least, most)).contains(bytes) else {
        throw CodeBudgetError.size(bytes, smallest: least, largest: most)
      }
      room = bytes - least
    }
    var left = room
    var chosen: [Int] = []
    let order = losses.indices.filter { losses[$0].gain > 0 }.sorted {
      (losses[$1].gain, $0) < (losses[$0].gain, $1)
    }
    for index in order {
      let more = losses[index].int8Bytes - losses[index].q4Bytes
      if more <= left {
        left -= more
        chosen.append(index)
      }
    }
    // Sections begin at multiples, so that a file may be a little larger than its matrices say.
    if case .size(let bytes) = limit {
      while !chosen.isEmpty, try size(Choice(losses: losses, int8: Set(chosen)).recipe) > bytes {
        chosen.removeLast()
      }
    }
    return Choice(losses: losses, int8: Set(chosen))
  }
}

/// A budget that no choice of codes has.
package enum CodeBudgetError: ReportableError, Equatable {
  case bits(Double, smallest: Double, largest: Double)
  case size(Int, smallest: Int, largest: Int)

  package var kind: ErrorKind { .usage }

  package var problem: String {
    switch self {
    case .bits(let bits, _, _): "\(NumberText.fixed(bits, 3)) bits a weight are not possible"
    case .size(let bytes, _, _): "\(ByteSize(bytes: bytes)) is not possible for this model"
    }
  }

  package var hint: Hint {
    switch self {
    case .bits(_, let smallest, let largest):
      // Rounded inwards, so that what is advised is possible.
      "give \(NumberText.fixed((smallest * 1000).rounded(.up) / 1000, 3)) to \(NumberText.fixed((largest * 1000).rounded(.down) / 1000, 3))"
    case .size(_, let smallest, let largest):
      "give \(ByteSize(bytes: smallest).argument) to \((largest >> 20))M"
    }
  }
}
