import VL2Base

/// What was read of a page, as it stands in a journal until all of its document is there.
extension PageContent {
  /// nil for a value: nothing is made of one.
  var kept: JSONValue? {
    switch self {
    case .text(let text): ["text": .text(text)]
    case .blank: ["blank": true]
    case .failed(let reason): ["error": .text(reason)]
    case .value: nil
    }
  }

  init?(kept json: JSONValue) {
    if case .string(let text)? = json.member("text") {
      self = .text(String(decoding: text, as: UTF8.self))
    } else if case .string(let reason)? = json.member("error") {
      self = .failed(String(decoding: reason, as: UTF8.self))
    } else if json.member("blank") == true {
      self = .blank
    } else {
      return nil
    }
  }
}
