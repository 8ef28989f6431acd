import VL2Base
import VL2Run

extension JSONSchema {
  /// A schema that a client sent.
  ///
  /// - Parameter place: where it stands in the request.
  /// - Throws: `RequestError`.
  init(sent value: JSONValue, place: String) throws {
    do {
      try self.init(value.json, name: place)
    } catch let error as SchemaError {
      var told = RequestError(error)
      told.parameter = place
      told.code = "invalid_schema"
      throw told
    }
  }
}
