import Glibc
import VL2Base
import VL2Run

/// The model as clients see it.
package struct ServedModel: Sendable {
  /// What answers say.
  package var name: String
  /// Further names that requests may use.
  package var aliases: [String]
  package var contextLength: Int
  /// The packed file's name, without its folders.
  var fileName: String
  var bytes = 0
  /// When the file was last written, in seconds since 1970.
  var written = 0
  var weightCount: Int
  /// A line for users of a model that only demonstrates and knows little; nil for other models.
  var notice: String?
  /// Of most weights: `Q4`.
  var code: String
  /// 64 hexadecimal digits that tell the file from others.
  package var digest: String
  /// What answers to a batch depend on besides its requests: `settings(_:_:isExact:keyValues:)`; nil where it is not known,
  /// and no batch is answered.
  package var settings: String?

  /// - Parameter aliases: the first one is the name; the file's is then one more alias.
  /// - Throws: `InputError` where the file cannot be read.
  package init(_ engine: Engine, aliases: [String]) throws {
    let path = engine.path
    fileName = path.split(separator: "/").last.map(String.init) ?? path
    let own = fileName.hasSuffix(".vl2q") ? String(fileName.dropLast(5)) : fileName
    let name = aliases.first ?? own
    self.name = name
    self.aliases = (aliases + [own]).reduce(into: []) { if !$0.contains($1), $1 != name { $0.append($1) } }
    contextLength = engine.contextLength
    weightCount = engine.weightCount
    notice = engine.demonstrationNotice
    code = engine.mainCode.uppercased()
    let file = try InputFile(path: path)
    var status = stat()
    if stat(path, &status) == 0 { written = Int(status.st_mtim.tv_sec) }
    bytes = file.length
    // Both ends: the head, and the end of the manifest, which has the hashes of all sections.
    let hash = SHA256()
    for part in [0..<min(4096, bytes), max(0, bytes - 65_536)..<bytes] {
      try file.bytes(part).withUnsafeBytes(hash.append)
    }
    digest = hash.finish()
  }

  /// A model of another server, as far as reading requests to it needs it.
  init(elsewhere name: String, aliases: [String], contextLength: Int) {
    self.name = name
    self.aliases = aliases
    self.contextLength = contextLength
    (fileName, weightCount, code, digest) = ("", 0, "", "")
  }

  /// The number of weights, as people write it: `3.4B`.
  var size: String {
    let (number, unit) = weightCount >= 1_000_000_000 ? (1e9, "B") : (1e6, "M")
    return NumberText.fixed(Double(weightCount) / number, 1) + unit
  }

  /// Whether a request means this model. Ollama's clients may add `:latest`.
  func answers(to name: String) -> Bool {
    let plain = name.hasSuffix(":latest") ? String(name.dropLast(7)) : name
    return ([self.name] + aliases).contains { known in
      known == plain || known == name || known == plain + ":latest"
    }
  }

  /// The name by which a request of Ollama's clients calls this model; older ones have it in `name`.
  ///
  /// - Throws: `RequestError` where it has none, or means another model.
  func name(in request: RequestFields) throws -> String {
    guard let name = try request.text("model") ?? request.text("name") else {
      throw request.fault("model", "give the model's name")
    }
    try check(name)
    return name
  }

  /// - Throws: `RequestError` where a request means another model.
  func check(_ name: String?) throws {
    guard let name, !answers(to: name) else { return }
    throw RequestError(
      status: 404,
      "model \(UntrustedText.quoted(name)) is not here; this server has \(UntrustedText.quoted(self.name))",
      parameter: "model", code: "model_not_found")
  }
}
