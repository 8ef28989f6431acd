import VL2Base

/// The table of contents of a packed file, stored as JSON. Holds integers, strings and one boolean.
public struct Manifest: Encodable, Sendable, Equatable {
  /// Where the weights came from.
  public struct Origin: Encodable, Sendable, Equatable {
    /// The checkpoint folder's last path component, or "synthesize tiny".
    public var source: String
    /// The last path component of the base model's folder, if config or tokeniser files came from there.
    public var base: String?
    /// Every file that this one was made from; none for random weights.
    public var files: [SourceFile]
    /// The program that wrote the file and its version, for example "vl2-convert 0.1.0".
    public var tool: String
    /// The licence text that came with the weights, if there was one.
    public var license: String?
    /// True for a model that shows how things work and knows little; programs say so.
    public var demonstration: Bool
    /// The sentence in which a demonstration model says what it is; programs print `demonstrationNotice`.
    public var demonstrationNote: String?
    /// Tensors of the checkpoint that were left out because no forward pass uses them.
    public var leftOut: [String]
    /// The statistics by which scales were chosen; nil where there were none.
    public var calibration: Statistics?

    public init(
      source: String, base: String? = nil, files: [SourceFile] = [], tool: String, license: String? = nil,
      demonstration: Bool = false,
      demonstrationNote: String? = nil, leftOut: [String] = []
    ) {
      self.source = source
      self.base = base
      self.files = files
      self.tool = tool
      self.license = license
      self.demonstration = demonstration
      self.demonstrationNote = demonstrationNote
      self.leftOut = leftOut
    }

    /// The statistics that a file was packed with.
    public struct Statistics: Encodable, Sendable, Equatable {
      /// SHA-256 of their file, lower-case hexadecimal.
      public var sha256: String
      /// What they were collected from: pictures, questions about them, texts, tokens of all prompts and answers.
      public var pictures: Int
      public var questions: Int
      public var texts: Int
      public var tokens: Int

      package init(sha256: String, pictures: Int, questions: Int, texts: Int, tokens: Int) {
        (self.sha256, self.pictures, self.questions) = (sha256, pictures, questions)
        (self.texts, self.tokens) = (texts, tokens)
      }
    }
  }

  public var origin: Origin
  /// Pattern and code of every rule of the recipe, in order; the first rule that matches a tensor's name
  /// applies.
  public var recipe: [RecipeRule]
  /// The checkpoint's config files unchanged: file name to text.
  public var configFiles: [String: String]
  public var sections: [SectionEntry]
}

extension Manifest {
  /// Weights of all tensors.
  package var weightCount: Int { codes.values.reduce(0, +) }

  /// The code that most weights have.
  package var mainCode: WeightCode { codes.max { $0.value < $1.value }?.key ?? .q4 }

  private var codes: [WeightCode: Int] {
    sections.flatMap(\.tensors).reduce(into: [:]) { $0[$1.code, default: 0] += $1.weightCount }
  }
}

extension Manifest.Origin {
  /// What to tell the user of a demonstration model: one line; nil for other models.
  public var demonstrationNotice: String? {
    guard demonstration else { return nil }
    // The text comes from the file and must not fill a screen.
    let note = String(String.UnicodeScalarView((demonstrationNote ?? "").unicodeScalars.prefix(300)))
    let line = UntrustedText.line(note).trimmed()
    return line.isEmpty ? "this is a demonstration model: it shows how things work and knows little" : line
  }
}

/// One rule of a recipe: tensors whose name matches `pattern` (`*` stands for any characters) get `code`.
public struct RecipeRule: Encodable, Sendable, Equatable {
  public var pattern: String
  public var code: WeightCode
  public init(pattern: String, code: WeightCode) {
    self.pattern = pattern
    self.code = code
  }
}

/// A contiguous part of the file that inference reads as one.
public struct SectionEntry: Encodable, Sendable, Equatable {
  public enum Encoding: String, Encodable, Sendable, CaseIterable {
    /// Mapped and used in place.
    case raw
    /// One zstd frame, unpacked when first needed.
    case zstd
  }

  /// "tokenizer", "vision.embed", "vision.block.0", "vision.out", "projector", "embedding", "layer.0",
  /// "layer.1.expert.0", "head".
  public var name: String
  /// Bytes from the beginning of the file; a multiple of 64 KiB.
  public var offset: Int
  public var storedLength: Int
  public var rawLength: Int
  public var encoding: Encoding
  /// SHA-256 of the raw bytes, lower-case hexadecimal.
  public var sha256: String
  /// CRC-32C (Castagnoli) of the stored bytes.
  public var crc32c: UInt32
  public var tensors: [TensorEntry]
}

/// A tensor inside a section.
public struct TensorEntry: Encodable, Sendable, Equatable {
  /// The checkpoint's own name.
  public var name: String
  public var shape: [Int]
  public var code: WeightCode
  /// Bytes from the beginning of the section's raw bytes; a multiple of 64.
  public var offset: Int
  /// Bytes from one block of 16 rows to the next (more than a block's length if gate and up alternate); the
  /// whole length for `plain`.
  public var blockStep: Int
  /// Relative root mean square error of the code against the checkpoint, in parts per million.
  public var errorPPM: Int
  /// The same with each column counted by its importance; nil where none was known.
  public var weightedErrorPPM: Int?
  /// Whose rows the importance of its columns came from; nil where none was known.
  public var importance: ImportanceSource?

  public init(
    name: String, shape: [Int], code: WeightCode, offset: Int, blockStep: Int, errorPPM: Int,
    importance: ImportanceSource? = nil
  ) {
    self.name = name
    self.shape = shape
    self.code = code
    self.offset = offset
    self.blockStep = blockStep
    self.errorPPM = errorPPM
    self.importance = importance
  }
}

/// Whose rows the importance of a matrix's columns comes from.
public enum ImportanceSource: String, Encodable, Sendable, CaseIterable {
  /// Its own.
  case own
  /// Those of all experts of its layer, because too few were routed to it.
  case layer
}
