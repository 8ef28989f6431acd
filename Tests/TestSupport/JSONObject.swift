import Foundation

/// A JSON text that is not what was expected.
public struct UnexpectedJSON: Error, CustomStringConvertible {
  public var description: String
}

/// The members of the object in a JSON text.
public func jsonObject(_ text: String) throws -> [String: Any] { try jsonObject(Data(text.utf8), text) }

/// The members of the object that a file holds.
public func jsonObject(contentsOf path: String) throws -> [String: Any] {
  try jsonObject(try Data(contentsOf: URL(fileURLWithPath: path)), path)
}

private func jsonObject(_ data: Data, _ name: String) throws -> [String: Any] {
  guard let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any] else {
    throw UnexpectedJSON(description: "not a JSON object: \(name)")
  }
  return object
}

/// A JSON text.
public func jsonText(_ object: Any) throws -> String {
  String(decoding: try JSONSerialization.data(withJSONObject: object), as: UTF8.self)
}
