import VL2Base

/// What `vl2 batch --server` sends with a request, so that the answer is the one that a batch on this machine would get: the
/// settings that every server of the batch must have, and the request's name, of which its ids and its seed are made.
///
/// It is a header, `X-VL2-Batch: SETTINGS NAME`, each of 64 hexadecimal digits, so that the body stays a request as any
/// server takes it.
package struct BatchMark: Sendable, Equatable {
  package static let header = "X-VL2-Batch"
  /// `ServedModel.settings` of whoever is to answer.
  package var settings: String
  package var name: String

  package init(settings: String, name: String) {
    (self.settings, self.name) = (settings, name)
  }

  /// The value of the header.
  package var value: String { "\(settings) \(name)" }

  /// Reads the header; nil where there is none.
  ///
  /// - Throws: `RequestError`.
  init?(_ head: RequestHead) throws {
    let values = head.values(Self.header.lowercased())
    guard let value = values.first else { return nil }
    let words = value.trimmingSpace.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
    guard values.count == 1, words.count == 2, words.allSatisfy(Self.isDigest) else {
      throw RequestError.field(Self.header, "give two times 64 hexadecimal digits, as vl2 batch does")
    }
    self.init(settings: words[0], name: words[1])
  }

  package static func isDigest(_ text: String) -> Bool {
    text.utf8.count == 64
      && text.utf8.allSatisfy {
        (0x30...0x39).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
      }
  }

  /// - Throws: `RequestError` where the batch was begun with a server that answers otherwise than this one.
  func check(_ model: ServedModel) throws {
    guard settings != model.settings else { return }
    throw RequestError(
      status: 409,
      "this batch was begun with another model or other options than this server has; give all servers of a batch the same",
      code: Self.otherSettings)
  }

  /// The code of that error.
  package static let otherSettings = "other_settings"
}

extension ServedModel {
  /// 64 hexadecimal digits of everything that answers to a batch depend on besides its requests.
  package static func settings(
    _ model: ServedModel, _ limits: AskingLimits, isExact: Bool, keyValues: String
  ) -> String {
    let all = [
      model.digest, model.name, "\(isExact)", keyValues, "\(model.contextLength)", "\(limits.mostTiles ?? 0)",
      "\(limits.pictures.background)",
    ]
    return Array(all.joined(separator: " ").utf8).withUnsafeBytes(sha256Hexadecimal)
  }
}

extension ChatRequest {
  /// Has everything in the answer follow from the request, the model and the settings, as an answer to a batch does.
  ///
  /// - Parameters:
  ///   - request: the request's fields.
  ///   - name: hexadecimal digits, at least 24, that no other request of the batch has.
  /// - Throws: `RequestError` for what a batch cannot have.
  mutating func makeRepeatable(_ request: RequestFields, name: String, limits: AskingLimits) throws {
    if asked.isStreamed {
      throw RequestError.field("stream", "a batch has no streams; leave it out")
    }
    if request["seed"] == nil {
      asked.question.sampling.seed = UInt64(name.prefix(16), radix: 16) ?? 0
    }
    asked.question.readsAnswersAsWritten = false
    asked.question.tileLimit = limits.mostTiles.map { .tiles($0) } ?? .context
    format.id = Self.answerID(name)
    format.callID = "call_" + name.prefix(24)
    format.created = 0
    format.tellsTimings = false
    format.tellsCache = false
  }

  /// The id of the answer to a request of a batch.
  static func answerID(_ name: String) -> String { "chatcmpl-" + name.prefix(24) }
}
