import VL2Base

/// How large the values are that go into each matrix of a model: for every column of every input the sum of squares
/// over the rows that were multiplied, of pictures and of text apart.
///
/// All sums are float64, and rows are added in the order in which they were computed, so that they are the same on every
/// machine.
package struct CalibrationStatistics: Sendable, Equatable {
  /// Where rows come from. Rows of the tower and the projector are a picture's, and so are those at the places of a
  /// picture in the decoder; all others are text: question, answer and what is written around them.
  package enum Kind: Int, Sendable, CaseIterable {
    case picture, text
  }

  /// The sums of one input.
  package struct Sums: Sendable, Equatable {
    /// The sum of squares of each column over the picture's rows, then over the text's.
    package var squares: [Double]
    /// How many rows were added, of each kind.
    package var rows = [0, 0]

    package init(columns: Int) { squares = .init(repeating: 0, count: 2 * columns) }

    package var columns: Int { squares.count / 2 }
    package var allRows: Int { rows[0] + rows[1] }

    /// The sums of one kind of rows.
    package func squares(_ kind: Kind) -> ArraySlice<Double> {
      squares[kind.rawValue * columns..<(kind.rawValue + 1) * columns]
    }

    package static func += (sums: inout Sums, other: Sums) {
      for index in sums.squares.indices { sums.squares[index] += other.squares[index] }
      for kind in 0..<2 { sums.rows[kind] += other.rows[kind] }
    }
  }

  package let inputs: MatrixInputs
  /// What the model was called when they were collected.
  package var model: String
  package let layoutHash: String
  package let vectorsHash: String
  package var runs: [CalibrationRun]
  /// One for each of `inputs`, in their order.
  package var sums: [Sums]

  /// Nothing collected yet.
  package init(_ model: CalibratedModel, run: CalibrationRun) {
    (inputs, self.model) = (model.inputs, model.name)
    (layoutHash, vectorsHash) = (model.layoutHash, model.vectorsHash)
    runs = [run]
    sums = model.inputs.inputs.map { Sums(columns: $0.columns) }
  }

  init(_ model: CalibratedModel, name: String, runs: [CalibrationRun], sums: [Sums]) {
    (inputs, self.model, self.runs, self.sums) = (model.inputs, name, runs, sums)
    (layoutHash, vectorsHash) = (model.layoutHash, model.vectorsHash)
  }

  /// The sums of what goes into a matrix; nil for a tensor that has none (embedding, routers, vectors).
  package func sums(of matrix: String) -> Sums? { inputs.places[matrix].map { sums[$0] } }

  package var isComplete: Bool { runs.allSatisfy(\.isComplete) }

  /// Adds what other runs with the same model collected.
  ///
  /// - Parameter path: where they were read from, for the error.
  /// - Throws: `CalibrationError`.
  package mutating func add(_ other: CalibrationStatistics, from path: String) throws {
    guard layoutHash == other.layoutHash, vectorsHash == other.vectorsHash else {
      throw CalibrationError.otherModel(path: path, problem: "not \(UntrustedText.quoted(model))")
    }
    guard
      !other.runs.contains(where: { run in
        runs.contains { $0.inputs == run.inputs && $0.packedFile == run.packedFile }
      })
    else { throw CalibrationError.countedTwice(path: path) }
    runs += other.runs
    for place in sums.indices { sums[place] += other.sums[place] }
  }
}
