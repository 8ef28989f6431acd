import FoundationEssentials
import VL2Base

/// Pictures that a line names by their paths, on their way to a server, which opens no files for anybody.
enum NamedPictures {
  /// A picture that cannot be sent.
  struct Unreadable: Error {
    /// As whoever wrote the line is told.
    var error: RequestError
  }

  /// The request with the pictures themselves in place of their paths.
  ///
  /// - Returns: besides, whether there were any.
  /// - Throws: `Unreadable`.
  static func sent(_ request: JSONValue, below folder: ConfinedFolder?, _ limits: PictureLimits) throws -> (
    JSONValue, Bool
  ) {
    guard let folder else { return (request, false) }
    var count = 0
    let sent = try request.replacing("messages") { messages in
      try messages.mappingElements { message, index in
        try message.replacing("content") { content in
          try content.mappingElements { part, place in
            let path = "messages[\(index)].content[\(place)]"
            // Of other parts nobody looks at the picture.
            guard [.text("image_url"), .text("input_image")].contains(part.member("type")) else {
              return part
            }
            return try part.replacing("image_url") { picture in
              let put = { (value: JSONValue) throws -> JSONValue in
                do {
                  guard case .string(let url) = value,
                    let name = try SentPicture.name(String(decoding: url, as: UTF8.self), place: path)
                  else { return value }
                  count += 1
                  // More are refused by whoever reads the request.
                  guard count <= limits.count else { return value }
                  let bytes = try SentPicture.file(name, in: folder, place: path, limits: limits)
                  return .string(Array("data:;base64,".utf8) + Data(bytes).base64EncodedData())
                } catch {
                  throw Unreadable(error: RequestError(error))
                }
              }
              return try put(try picture.replacing("url", put))
            }
          }
        }
      }
    }
    return (sent, count > 0)
  }
}

extension JSONValue {
  /// The same object with another value of one of its members, where it is one and has it.
  fileprivate func replacing(_ name: String, _ change: (JSONValue) throws -> JSONValue) rethrows -> JSONValue
  {
    guard case .object(var members) = self,
      let index = members.firstIndex(where: { $0.key.elementsEqual(name.utf8) })
    else { return self }
    members[index].value = try change(members[index].value)
    return .object(members)
  }

  /// The same array with other elements, where it is one.
  fileprivate func mappingElements(_ change: (JSONValue, Int) throws -> JSONValue) rethrows -> JSONValue {
    guard case .array(let elements) = self else { return self }
    return .array(try elements.enumerated().map { try change($1, $0) })
  }
}
