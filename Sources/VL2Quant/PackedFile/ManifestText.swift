import VL2Base

/// The manifest's text. The JSON is written and read by hand, so that every version of Swift writes the same
/// bytes and opening a file costs little.
extension Manifest {
  /// JSON without white space, members sorted by their names' bytes.
  package func encoded() -> [UInt8] {
    var text = "{\"configFiles\":{"
    let files = configFiles.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
    text += files.map { "\(JSONText.quoted($0.key)):\(JSONText.quoted($0.value))" }.joined(separator: ",")
    text += "},\"origin\":" + origin.encoded + ",\"recipe\":["
    text += recipe.map(\.encoded).joined(separator: ",")
    text += "],\"sections\":[" + sections.map(\.encoded).joined(separator: ",") + "]}"
    return [UInt8](text.utf8)
  }

  /// Reads the text. Unknown members are ignored.
  ///
  /// - Throws: `ManifestFailure`.
  package init(text: [UInt8]) throws {
    let value: JSONValue
    do {
      value = try JSONReader.read(text, writer: .program)
    } catch let failure as JSONReader.Failure {
      throw ManifestFailure(problem: "is not JSON at byte \(failure.offset): \(failure.problem)")
    }
    let root = try ManifestObject(value) { "" }
    origin = try Origin(root.object("origin"))
    recipe = try root.objects("recipe").map { try RecipeRule($0) }
    configFiles = try root.object("configFiles").texts()
    sections = try root.objects("sections").map { try SectionEntry($0) }
  }
}

/// A manifest that cannot be read; `problem` follows "manifest" in an error line.
struct ManifestFailure: Error {
  var problem: String
}

extension Manifest.Origin {
  fileprivate var encoded: String {
    let names = leftOut.map { JSONText.quoted($0) }.joined(separator: ",")
    let license = license.map { "\"license\":\(JSONText.quoted($0))," } ?? ""
    let base = base.map { "\"base\":\(JSONText.quoted($0))," } ?? ""
    let calibration = calibration.map { "\"calibration\":\($0.encoded)," } ?? ""
    let files = files.isEmpty ? "" : "\"files\":[\(files.map(\.encoded).joined(separator: ","))],"
    let note = demonstrationNote.map { "\"demonstrationNote\":\(JSONText.quoted($0))," } ?? ""
    return
      "{\(base)\(calibration)\"demonstration\":\(demonstration),\(note)\(files)\"leftOut\":[\(names)],\(license)"
      + "\"source\":\(JSONText.quoted(source)),\"tool\":\(JSONText.quoted(tool))}"
  }

  fileprivate init(_ object: ManifestObject) throws {
    source = try object.string("source")
    base = object.has("base") ? try object.string("base") : nil
    files = object.has("files") ? try object.objects("files").map { try SourceFile($0) } : []
    tool = try object.string("tool")
    license = object.has("license") ? try object.string("license") : nil
    demonstration = try object.bool("demonstration")
    demonstrationNote = object.has("demonstrationNote") ? try object.string("demonstrationNote") : nil
    leftOut = try object.strings("leftOut")
    calibration = object.has("calibration") ? try Statistics(object.object("calibration")) : nil
  }
}

extension Manifest.Origin.Statistics {
  fileprivate var encoded: String {
    "{\"pictures\":\(pictures),\"questions\":\(questions),\"sha256\":\(JSONText.quoted(sha256)),\"texts\":\(texts),"
      + "\"tokens\":\(tokens)}"
  }

  fileprivate init(_ object: ManifestObject) throws {
    pictures = try object.integer("pictures")
    questions = try object.integer("questions")
    sha256 = try object.string("sha256")
    texts = try object.integer("texts")
    tokens = try object.integer("tokens")
  }
}

extension SourceFile {
  var encoded: String {
    "{\"base\":\(base),\"bytes\":\(bytes),\"name\":\(JSONText.quoted(name)),\"sha256\":\(JSONText.quoted(sha256))}"
  }

  init(_ object: ManifestObject) throws {
    base = try object.bool("base")
    bytes = try object.integer("bytes")
    name = try object.string("name")
    sha256 = try object.string("sha256")
  }
}

extension RecipeRule {
  var encoded: String { "{\"code\":\"\(code.rawValue)\",\"pattern\":\(JSONText.quoted(pattern))}" }

  init(_ object: ManifestObject) throws {
    self.init(pattern: try object.string("pattern"), code: try object.name("code"))
  }
}

extension SectionEntry {
  var encoded: String {
    "{\"crc32c\":\(crc32c),\"encoding\":\"\(encoding.rawValue)\",\"name\":\(JSONText.quoted(name)),"
      + "\"offset\":\(offset),\"rawLength\":\(rawLength),\"sha256\":\(JSONText.quoted(sha256)),"
      + "\"storedLength\":\(storedLength),"
      + "\"tensors\":[\(tensors.map(\.encoded).joined(separator: ","))]}"
  }

  init(_ object: ManifestObject) throws {
    name = try object.string("name")
    offset = try object.integer("offset")
    storedLength = try object.integer("storedLength")
    rawLength = try object.integer("rawLength")
    encoding = try object.name("encoding")
    sha256 = try object.string("sha256")
    crc32c = try object.value("crc32c", "a number of 32 bits") { value in
      if case .integer(let number) = value { UInt32(exactly: number) } else { nil }
    }
    tensors = try object.objects("tensors").map { try TensorEntry($0) }
  }
}

extension TensorEntry {
  fileprivate var encoded: String {
    let importance = importance.map { "\"importance\":\"\($0.rawValue)\"," } ?? ""
    let weighted = weightedErrorPPM.map { ",\"weightedErrorPPM\":\($0)" } ?? ""
    return "{\"blockStep\":\(blockStep),\"code\":\"\(code.rawValue)\",\"errorPPM\":\(errorPPM),\(importance)"
      + "\"name\":\(JSONText.quoted(name)),\"offset\":\(offset),"
      + "\"shape\":[\(shape.map { String($0) }.joined(separator: ","))]\(weighted)}"
  }

  fileprivate init(_ object: ManifestObject) throws {
    name = try object.string("name")
    shape = try object.integers("shape")
    code = try object.name("code")
    offset = try object.integer("offset")
    blockStep = try object.integer("blockStep")
    errorPPM = try object.integer("errorPPM")
    importance = object.has("importance") ? try object.name("importance") : nil
    weightedErrorPPM = object.has("weightedErrorPPM") ? try object.integer("weightedErrorPPM") : nil
  }
}
