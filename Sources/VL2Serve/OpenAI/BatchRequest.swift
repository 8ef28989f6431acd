import VL2Base
import VL2Run

/// A line of a batch: a request to `/v1/chat/completions` that a file brings, and what is written in answer.
///
/// Everything in its answer follows from the request, the model and the settings, so that the same batch gives the same
/// bytes however often it is interrupted: ids are made of `name`, `created` is 0, a seed that the request leaves open comes
/// from `name` too, and neither times nor what was known before are told.
///
/// Source: OpenAI, "Batch API", the request input object and the request output object.
package struct BatchRequest: Sendable {
  /// The status of HTTP that a request gets, and the body of the response.
  package struct Reply: Sendable {
    package var status: Int
    package var body: JSONValue
  }

  /// The requester's name for the line; nil where there is none that can be used.
  package let customID: String?
  private let content: Result<JSONValue, RequestError>

  /// The address that requests of a batch have.
  private static let address = "/v1/chat/completions"
  /// Bytes of a `custom_id`.
  private static let longestID = 512
  /// As many values as a request may have, and those around it.
  private static let mostValues = 100_000 + 8

  /// Reads a line. What is wrong with it comes with its answer.
  ///
  /// - Parameter mostBytes: the most bytes of a line, where this one has more.
  package init(_ line: LineReader.Line, mostBytes: Int) {
    var id: String?
    do {
      if line.isTooLong {
        throw RequestError(
          status: 413, "the line is over \(mostBytes >> 20) MiB; send smaller pictures, or name them by path",
          code: "line_too_long")
      }
      let fields = try Self.fields(line.bytes)
      guard let name = try fields.text("custom_id"), !name.isEmpty, name.utf8.count <= Self.longestID else {
        throw fields.fault("custom_id", "give each line a text of its own, of up to \(Self.longestID) bytes")
      }
      id = name
      guard try fields.text("method") == "POST" else { throw fields.fault("method", "give POST") }
      guard try fields.text("url") == Self.address else { throw fields.fault("url", "give \(Self.address)") }
      guard let body = fields["body"] else { throw fields.fault("body", "give the request") }
      content = .success(body)
    } catch {
      var told = RequestError(error)
      told.details.append(("line", line.number))
      content = .failure(told)
    }
    customID = id
  }

  private static func fields(_ bytes: [UInt8]) throws -> RequestFields {
    do {
      return try RequestFields(try JSONReader.read(bytes, mostValues: mostValues), path: "")
    } catch let failure as JSONReader.Failure {
      throw RequestError(
        status: 400, "the line is no JSON text: byte \(failure.offset): \(failure.problem)",
        code: "invalid_json")
    }
  }

  /// Answers it, with the server's own reading of requests.
  ///
  /// - Parameters:
  ///   - name: hexadecimal digits, at least 24, that no other line has.
  ///   - earlier: the number of the line that has the same `custom_id`; nil where there is none.
  ///   - ask: asks the engine; called where there is a question.
  /// - Throws: what is not the request's own fault, such as a damaged model, and what `ask` throws of that kind.
  package func reply(
    name: String, earlier: Int?, model: ServedModel, limits: AskingLimits,
    ask: (Question) async throws -> Answer
  ) async throws -> Reply {
    do {
      if let earlier {
        throw RequestError.field(
          "custom_id", "line \(earlier) has the same; give each line its own", code: "duplicate_custom_id")
      }
      let fields = try RequestFields(content.get(), path: "")
      var chat = try ChatRequest(fields, model: model, limits: limits)
      if chat.asked.isStreamed {
        throw RequestError.field("stream", "a batch has no streams; leave it out")
      }
      if fields["seed"] == nil {
        chat.asked.question.sampling.seed = UInt64(name.prefix(16), radix: 16) ?? 0
      }
      chat.asked.question.readsAnswersAsWritten = false
      chat.asked.question.tileLimit = limits.mostTiles.map { .tiles($0) } ?? .context
      chat.format.id = "chatcmpl-" + name.prefix(24)
      chat.format.callID = "call_" + name.prefix(24)
      chat.format.created = 0
      chat.format.tellsTimings = false
      chat.format.tellsCache = false
      return Reply(status: 200, body: chat.format.body(try await ask(chat.asked.question)))
    } catch {
      let told = RequestError(error)
      // What says nothing to whoever wrote the line is no answer to it.
      if told.status == 500 { throw error }
      return Reply(status: told.status, body: told.openAI)
    }
  }

  /// The line that is written.
  package func line(_ reply: Reply, name: String) -> JSONValue {
    [
      "id": .text(Self.id(name)), "custom_id": customID.map { .text($0) } ?? .null,
      "response": [
        "status_code": .integer(reply.status), "request_id": .text("req_" + name.prefix(24)),
        "body": reply.body,
      ], "error": .null,
    ]
  }

  /// The id of the line that is written.
  package static func id(_ name: String) -> String { beginOfIDs + name.prefix(24) }

  /// How ids of lines begin.
  package static let beginOfIDs = "batch_req_"
}
