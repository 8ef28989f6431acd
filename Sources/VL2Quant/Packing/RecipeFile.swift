import VL2Base

/// A recipe that a user wrote: a JSON list of rules, each `{"pattern": "...", "code": "..."}`, in the form of
/// a packed file's manifest.
public struct RecipeFile: Sendable {
  public let path: String
  public let recipe: Recipe

  private static let longest = 1 << 20
  private static let mostRules = 1000

  /// Reads the file.
  ///
  /// - Throws: `FileError` for anything but a list of rules with codes that matrices can have, `InputError`
  ///   if the file cannot be read.
  public init(contentsOf path: String) throws {
    self.path = path
    let bytes: [UInt8]
    do {
      let file = try InputFile(path: path)
      guard file.length <= Self.longest else {
        throw FileError(.badData, path, "is \(file.length) bytes long, at most \(Self.longest) are read")
      }
      bytes = try file.bytes(0..<file.length)
    } catch InputError.missing {
      throw FileError(.noInput, path, "no such file", "begin with \(.recipe)")
    }
    let value: JSONValue
    do {
      value = try JSONReader.read(bytes)
    } catch let failure as JSONReader.Failure {
      throw FileError(.badData, path, "not JSON at byte \(failure.offset): \(failure.problem)")
    }
    guard case .array(let elements) = value, !elements.isEmpty, elements.count <= Self.mostRules else {
      throw FileError(
        .badData, path, "\(value.kind) stands where a list of 1 to \(Self.mostRules) rules was expected",
        "write [{\"pattern\": \"*\", \"code\": \"q4\"}] or more of them")
    }
    recipe = Recipe(rules: try elements.enumerated().map { try Self.rule($1, number: $0 + 1, path: path) })
  }

  private static func rule(_ value: JSONValue, number: Int, path: String) throws -> RecipeRule {
    func wrong(_ reason: String, _ hint: Hint = .none) -> FileError {
      FileError(.badData, path, "rule \(number) \(reason)", hint)
    }
    guard case .object(let members) = value else {
      throw wrong("is \(value.kind), not an object with pattern and code")
    }
    var texts: [String: String] = [:]
    for member in members {
      let key = String(decoding: member.key, as: UTF8.self)
      guard key == "pattern" || key == "code" else {
        throw wrong("has the key \(UntrustedText.quoted(member.key))", "a rule has pattern and code alone")
      }
      guard case .string(let bytes) = member.value else {
        throw wrong("has \(member.value.kind) for \(key), where a string was expected")
      }
      texts[key] = String(decoding: bytes, as: UTF8.self)
    }
    guard let pattern = texts["pattern"], !pattern.isEmpty else {
      throw wrong("has no pattern", "write a tensor's name, in which * stands for any characters")
    }
    let codes = WeightCode.allCases.filter { $0 != .plain }
    guard let name = texts["code"], let code = codes.first(where: { $0.rawValue == name }) else {
      let found =
        texts["code"].map { "has the code \(UntrustedText.quoted($0))" } ?? "has no code"
      throw wrong(found, "choose one of \(codes.map(\.rawValue).joined(separator: ", "))")
    }
    return RecipeRule(pattern: pattern, code: code)
  }

  /// Refuses rules that have no effect on a model. A typing error in a pattern would otherwise go unnoticed
  /// until somebody measures.
  ///
  /// - Throws: `FileError`, naming the first such rule; `PackingError.noCode` if a matrix has no matching
  ///   rule.
  public func check(for config: ModelConfig) throws {
    let tensors = ModelLayout(config).sections.flatMap(\.tensors)
    var undecided = tensors.filter { $0.kind != .plain }
    for (index, rule) in recipe.rules.enumerated() {
      func wrong(_ reason: String, _ hint: Hint) -> FileError {
        let pattern = UntrustedText.quoted(rule.pattern)
        return FileError(.badData, path, "rule \(index + 1), \(pattern), \(reason)", hint)
      }
      let matched = tensors.filter { rule.matches($0.name) }
      guard !matched.isEmpty else {
        throw wrong("matches no tensor of this model", "\(.manifest) lists their names")
      }
      guard matched.contains(where: { $0.kind != .plain }) else {
        throw wrong("matches vectors alone, which are always float32", "take it out")
      }
      let decided = undecided.filter { rule.matches($0.name) }
      // A last rule for everything else may be meant for another model.
      guard !decided.isEmpty || rule.pattern == "*" else {
        throw wrong("is never reached, as the rules before it match all that it does", "put it before them")
      }
      guard rule.code == .f32 || decided.isEmpty || decided.contains(where: { $0.kind != .router }) else {
        throw wrong("matches routers alone, which are always f32", "write that code or take it out")
      }
      undecided.removeAll { rule.matches($0.name) }
    }
    if let left = undecided.first(where: { $0.kind == .matrix }) {
      throw PackingError.noCode(tensor: left.name)
    }
  }
}

extension Recipe {
  /// The text of a recipe file: JSON, with one rule on each line.
  public var json: String {
    let lines = rules.map {
      "  {\"pattern\": \(JSONText.quoted($0.pattern)), \"code\": \"\($0.code.rawValue)\"}"
    }
    return "[\n" + lines.joined(separator: ",\n") + "\n]\n"
  }
}
