import VL2Base
import VL2Quant

/// What `inspect` shows: a packed file's sections, grouped by the part of the model that they hold.
struct PackedFileSummary: Encodable {
  /// A part of the model.
  enum Part: String, Encodable, CaseIterable {
    case tokenizer, vision, projector, embedding, layers, experts, head

    init(section name: String) {
      let steps = name.split(separator: ".")
      switch steps.first {
      case "vision": self = .vision
      case "projector": self = .projector
      case "embedding": self = .embedding
      case "layer": self = steps.count > 2 ? .experts : .layers
      case "head": self = .head
      default: self = .tokenizer
      }
    }
  }

  struct PartSize: Encodable {
    var part: Part
    var sections = 0
    var compressedSections = 0
    var storedBytes = 0
    var rawBytes = 0
  }

  /// Tensors of one code in one part.
  struct CodeUse: Encodable {
    var part: Part
    var code: WeightCode
    var tensors = 0
    var weights = 0
    /// With scales and padding, before compression.
    var bytes = 0
    var bitsPerWeight: Double { Double(bytes) * 8 / Double(max(1, weights)) }
    /// Root mean square of the tensors' errors, weighted by their weights.
    var errorPPM: Int { Int((squares / Double(max(1, weights))).squareRoot().rounded()) }
    var largestErrorPPM = 0
    var largestErrorTensor: String?
    /// The error with columns counted by their importance, of the tensors of which it was known; nil for none.
    var weightedErrorPPM: Int? {
      weightedWeights == 0
        ? nil : Int((weightedSquares / Double(weightedWeights)).squareRoot().rounded())
    }
    /// Tensors whose importance came from their layer's other experts, and those of which none was known.
    var fromLayer = 0
    var unknown = 0
    private var squares = 0.0
    private var weightedSquares = 0.0
    private var weightedWeights = 0

    private let isCalibrated: Bool

    init(part: Part, code: WeightCode, isCalibrated: Bool) {
      self.part = part
      self.code = code
      self.isCalibrated = isCalibrated
    }

    mutating func add(_ tensor: TensorEntry) {
      tensors += 1
      weights += tensor.weightCount
      bytes += tensor.byteCount
      fromLayer += tensor.importance == .layer ? 1 : 0
      unknown += tensor.importance == nil && tensor.code != .plain ? 1 : 0
      if let error = tensor.weightedErrorPPM {
        weightedSquares += Double(error) * Double(error) * Double(tensor.weightCount)
        weightedWeights += tensor.weightCount
      }
      squares += Double(tensor.errorPPM) * Double(tensor.errorPPM) * Double(tensor.weightCount)
      if tensor.errorPPM > largestErrorPPM {
        largestErrorPPM = tensor.errorPPM
        largestErrorTensor = tensor.name
      }
    }

    private enum Key: String, CodingKey {
      case part, code, tensors, weights, bytes, bitsPerWeight, errorPPM, largestErrorPPM, largestErrorTensor
      case weightedErrorPPM, fromLayer, unknown
    }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(part, forKey: .part)
      try container.encode(code, forKey: .code)
      try container.encode(tensors, forKey: .tensors)
      try container.encode(weights, forKey: .weights)
      try container.encode(bytes, forKey: .bytes)
      try container.encode(bitsPerWeight, forKey: .bitsPerWeight)
      try container.encode(errorPPM, forKey: .errorPPM)
      try container.encode(largestErrorPPM, forKey: .largestErrorPPM)
      try container.encodeIfPresent(largestErrorTensor, forKey: .largestErrorTensor)
      try container.encodeIfPresent(weightedErrorPPM, forKey: .weightedErrorPPM)
      if isCalibrated {
        try container.encode(fromLayer, forKey: .fromLayer)
        try container.encode(unknown, forKey: .unknown)
      }
    }
  }

  let file: String
  let formatVersion: Int
  let bytes: Int
  let weights: Int
  let origin: Manifest.Origin
  let recipe: [RecipeRule]
  let parts: [PartSize]
  let codes: [CodeUse]
  let sections: [SectionEntry]

  init(_ packed: PackedFile) throws {
    file = packed.path
    formatVersion = PackedFile.formatVersion
    bytes = FileStatus(packed.path)?.bytes ?? 0
    origin = packed.manifest.origin
    recipe = packed.manifest.recipe
    sections = packed.manifest.sections
    var parts: [PartSize] = Part.allCases.map { PartSize(part: $0) }
    var codes: [CodeUse] = []
    for section in sections {
      let part = Part(section: section.name)
      if let index = parts.firstIndex(where: { $0.part == part }) {
        parts[index].sections += 1
        parts[index].compressedSections += section.encoding == .zstd ? 1 : 0
        parts[index].storedBytes += section.storedLength
        parts[index].rawBytes += section.rawLength
      }
      for tensor in section.tensors {
        let index = codes.firstIndex { $0.part == part && $0.code == tensor.code } ?? codes.count
        if index == codes.count {
          codes.append(CodeUse(part: part, code: tensor.code, isCalibrated: origin.calibration != nil))
        }
        codes[index].add(tensor)
      }
    }
    self.parts = parts
    self.codes = codes
    weights = codes.reduce(0) { $0 + $1.weights }
  }
}
