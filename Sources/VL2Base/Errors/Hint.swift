/// What somebody can do about an error. A hint refers to settings by their meaning, because a command line, a
/// server and a program that uses the library each call them something else:
///
///     Hint("raise \(.maxTokens)")
///     Hint("the smallest that works is \(.memory, "420M")")
public struct Hint: Sendable, Equatable, ExpressibleByStringInterpolation {
  fileprivate enum Part: Sendable, Equatable {
    case text(String)
    case setting(Setting, String?)
  }

  private var parts: [Part]

  public static let none = Hint("")

  public init(_ hint: Hint) { self = hint }

  public init(stringLiteral text: String) { parts = text.isEmpty ? [] : [.text(text)] }

  public init(stringInterpolation: StringInterpolation) { parts = stringInterpolation.parts }

  public var isEmpty: Bool { parts.isEmpty }

  /// The hint as text that fits inside a line.
  ///
  /// - Parameter naming: returns what the reader calls a setting, together with the advised value, if any.
  public func text(naming: (Setting, _ value: String?) -> String = Setting.plainName) -> String {
    parts.map { part in
      switch part {
      case .text(let text): text
      case .setting(let setting, let value): naming(setting, value)
      }
    }.joined()
  }

  public struct StringInterpolation: StringInterpolationProtocol {
    fileprivate var parts: [Part] = []

    public init(literalCapacity: Int, interpolationCount: Int) {}

    public mutating func appendLiteral(_ text: String) { if !text.isEmpty { parts.append(.text(text)) } }

    public mutating func appendInterpolation(_ setting: Setting, _ value: String? = nil) {
      parts.append(.setting(setting, value))
    }

    public mutating func appendInterpolation(_ value: some CustomStringConvertible) {
      appendLiteral(value.description)
    }
  }
}

/// What a user can set or use, as hints refer to it.
public enum Setting: String, Sendable, CaseIterable {
  /// Memory for everything together.
  case memory
  /// The most tokens of a prompt and its answer together.
  case context
  /// The most tokens that an answer may have.
  case maxTokens = "the limit of tokens"
  /// The folder of the model that a checkpoint was made from.
  case base = "a base folder"
  /// Resuming packing that was interrupted.
  case resume = "resuming"
  /// Which codes matrices get.
  case codes = "choice of codes"
  /// What columns of matrices count when they are packed.
  case calibration = "statistics"
  /// Whether sections are compressed.
  case sections = "encoding of sections"
  /// The way to make a packed file.
  case packing = "the packer"
  /// A recipe to start from.
  case recipe = "the recipe of a packed file"
  /// The list of a model's tensor names.
  case manifest = "the manifest of a packed file"
  /// The way to record which experts are used.
  case routes = "recorded routes"
  /// The port that a server listens at.
  case port = "the port"

  /// A name that fits anywhere: `memory of 420M`.
  public static func plainName(_ setting: Setting, _ value: String?) -> String {
    setting.rawValue + (value.map { " of \($0)" } ?? "")
  }
}
