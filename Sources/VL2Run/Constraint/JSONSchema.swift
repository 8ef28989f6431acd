import FoundationEssentials
import Glibc
import VL2Base

/// What an answer has to look like, in a subset of JSON Schema (2020-12) that docs/SCHEMA.md states.
///
/// An answer under a schema holds an object's members in the order in which the schema lists them, and no
/// other members. White space comes only after a comma or a colon, one space at the most.
public struct JSONSchema: Sendable {
  /// The name that errors use for it.
  public let name: String
  package let grammar: Grammar

  /// Any JSON object.
  public static let anyObject = JSONSchema(name: "any JSON object", grammar: SchemaCompiler.anyObject())

  private init(name: String, grammar: Grammar) {
    self.name = name
    self.grammar = grammar
  }

  /// Reads a schema from a file. Throws `SchemaError`.
  public init(contentsOf path: String) throws {
    guard let data = FileManager.default.contents(atPath: path) else {
      throw SchemaError.unavailable(file: path)
    }
    try self.init(Array(data), name: path)
  }

  /// Reads a schema from the bytes of a JSON text. Takes time and memory in proportion to them, whatever it says. Throws
  /// `SchemaError`.
  public init(_ json: [UInt8], name: String) throws {
    self.name = name
    do {
      var compiler = SchemaCompiler(root: try JSONReader.read(json), file: name)
      grammar = try compiler.compile()
    } catch let failure as JSONReader.Failure {
      throw SchemaError.notJSON(file: name, problem: "byte \(failure.offset): \(failure.problem)")
    }
  }
}
