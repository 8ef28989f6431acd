import VL2Quant

/// What `diff` shows: how two packed files differ.
struct PackedFileDifference: Encodable {
  typealias Value = ConfigDifference.Value

  /// A tensor that differs between the files.
  struct Tensor: Encodable {
    var name: String
    var codeA: WeightCode?
    var codeB: WeightCode?
    var shapeA: [Int]?
    var shapeB: [Int]?
    var errorPPMA: Int?
    var errorPPMB: Int?

    private enum CodingKeys: String, CodingKey {
      case name, codeA, codeB, shapeA, shapeB
      case errorPPMA = "error_ppm_a"
      case errorPPMB = "error_ppm_b"
    }
  }

  /// Tensors of one part that all have the same code in A, and the same code in B.
  struct Group: Encodable {
    var part: PackedFileSummary.Part
    var codeA: WeightCode
    var codeB: WeightCode
    var tensors = 0
    /// How many of these have different packed bytes.
    var differing = 0
    var bytesA = 0
    var bytesB = 0
    /// Root mean square of the tensors' errors, weighted by their weights.
    var errorPPMA: Int { Self.root(squaresA, weights) }
    var errorPPMB: Int { Self.root(squaresB, weights) }
    private var weights = 0
    private var squaresA = 0.0
    private var squaresB = 0.0

    init(part: PackedFileSummary.Part, codeA: WeightCode, codeB: WeightCode) {
      self.part = part
      self.codeA = codeA
      self.codeB = codeB
    }

    mutating func add(_ a: TensorEntry, _ b: TensorEntry, differs: Bool) {
      tensors += 1
      differing += differs ? 1 : 0
      bytesA += a.byteCount
      bytesB += b.byteCount
      weights += a.weightCount
      squaresA += Double(a.errorPPM) * Double(a.errorPPM) * Double(a.weightCount)
      squaresB += Double(b.errorPPM) * Double(b.errorPPM) * Double(b.weightCount)
    }

    private static func root(_ squares: Double, _ weights: Int) -> Int {
      Int((squares / Double(max(1, weights))).squareRoot().rounded())
    }

    private enum Key: String, CodingKey {
      case part, codeA, codeB, tensors, differing, bytesA, bytesB
      case errorPPMA = "error_ppm_a"
      case errorPPMB = "error_ppm_b"
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(part, forKey: .part)
      try container.encode(codeA, forKey: .codeA)
      try container.encode(codeB, forKey: .codeB)
      try container.encode(tensors, forKey: .tensors)
      try container.encode(differing, forKey: .differing)
      try container.encode(bytesA, forKey: .bytesA)
      try container.encode(bytesB, forKey: .bytesB)
      try container.encode(errorPPMA, forKey: .errorPPMA)
      try container.encode(errorPPMB, forKey: .errorPPMB)
    }
  }

  let a: String
  let b: String
  /// Whether everything below is the same.
  let same: Bool
  /// Where the files came from: source, tool, licence, and the SHA-256 of each source file.
  let origin: [Value]
  let config: [Value]
  let tokenizerDiffers: Bool
  /// Both recipes, if they differ.
  let recipeA: [RecipeRule]?
  let recipeB: [RecipeRule]?
  /// How many sections are stored as zstd, if the numbers differ.
  let zstdSections: Value?
  let tensors: [Tensor]
  /// All tensors that both files have with the same shape, in the order of the file.
  let groups: [Group]

  /// Reads what differs; `progress` receives the share done.
  init(_ a: PackedFile, _ b: PackedFile, progress: (Double, String) -> Void) throws {
    (self.a, self.b) = (a.path, b.path)
    let (mine, theirs) = (a.manifest, b.manifest)
    origin = Self.origin(mine.origin, theirs.origin)
    config = ConfigDifference.values(mine.configFiles, theirs.configFiles)
    func tokenizers(_ manifest: Manifest) -> [String] {
      manifest.sections.filter(\.tensors.isEmpty).map(\.sha256)
    }
    tokenizerDiffers = tokenizers(mine) != tokenizers(theirs)
    recipeA = mine.recipe == theirs.recipe ? nil : mine.recipe
    recipeB = mine.recipe == theirs.recipe ? nil : theirs.recipe
    func frames(_ manifest: Manifest) -> String {
      String(manifest.sections.filter { $0.encoding == .zstd }.count)
    }
    zstdSections =
      frames(mine) == frames(theirs)
      ? nil : Value(what: "sections stored as zstd", a: frames(mine), b: frames(theirs))
    (tensors, groups) = try Self.tensors(a, b, progress)
    same =
      origin.isEmpty && config.isEmpty && !tokenizerDiffers && recipeA == nil && zstdSections == nil
      && tensors.isEmpty
  }

  private static func origin(_ a: Manifest.Origin, _ b: Manifest.Origin) -> [Value] {
    var values = [
      Value(what: "source", a: a.source, b: b.source), Value(what: "base model", a: a.base, b: b.base),
      Value(what: "tool", a: a.tool, b: b.tool), Value(what: "licence", a: a.license, b: b.license),
      Value(what: "statistics", a: a.calibration?.sha256, b: b.calibration?.sha256),
      Value(what: "demonstration model", a: a.demonstrationNotice, b: b.demonstrationNotice),
    ]
    // A shard of one name may hold any part of the weights, but a name is what a user looks for.
    func hashes(_ origin: Manifest.Origin) -> [String: String] {
      Dictionary(origin.files.map { ($0.name, $0.sha256) }, uniquingKeysWith: { first, _ in first })
    }
    let (mine, theirs) = (hashes(a), hashes(b))
    values += Set(mine.keys).union(theirs.keys).sorted().map {
      Value(what: "SHA-256 of \($0)", a: mine[$0], b: theirs[$0])
    }
    return values.filter { $0.a != $0.b }
  }

  private static func tensors(
    _ a: PackedFile, _ b: PackedFile, _ progress: (Double, String) -> Void
  ) throws -> ([Tensor], [Group]) {
    var others: [String: TensorEntry] = [:]
    for tensor in b.manifest.sections.flatMap(\.tensors) { others[tensor.name] = tensor }
    var tensors: [Tensor] = []
    var groups: [Group] = []
    let sections = a.manifest.sections
    for (index, section) in sections.enumerated() {
      progress(Double(index) / Double(sections.count), section.name)
      let part = PackedFileSummary.Part(section: section.name)
      let differing = Set(try a.tensorsThatDiffer(in: section.name, from: b))
      for tensor in section.tensors {
        let twin = others.removeValue(forKey: tensor.name)
        let differs = differing.contains(tensor.name)
        if differs { tensors.append(Tensor(tensor, twin)) }
        guard let twin, twin.shape == tensor.shape else { continue }
        let codes = (tensor.code, twin.code)
        let place =
          groups.firstIndex { $0.part == part && ($0.codeA, $0.codeB) == codes } ?? groups.endIndex
        if place == groups.endIndex { groups.append(Group(part: part, codeA: codes.0, codeB: codes.1)) }
        groups[place].add(tensor, twin, differs: differs)
      }
    }
    // In the order of the file.
    tensors += b.manifest.sections.flatMap(\.tensors).filter { others[$0.name] != nil }.map {
      Tensor(nil, $0)
    }
    return (tensors, groups)
  }
}

extension PackedFileDifference.Tensor {
  fileprivate init(_ a: TensorEntry?, _ b: TensorEntry?) {
    name = a?.name ?? b?.name ?? ""
    (codeA, codeB) = (a?.code, b?.code)
    (shapeA, shapeB) = (a?.shape, b?.shape)
    (errorPPMA, errorPPMB) = (a?.errorPPM, b?.errorPPM)
  }
}
