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
  package struct Reply: Sendable, Equatable {
    /// nil where no server answered; the body then says why, in `code` and `message`.
    package var status: Int?
    package var body: JSONValue

    package init(status: Int, body: JSONValue) {
      (self.status, self.body) = (status, body)
    }

    /// What is told of a request that no server answered.
    package init(unanswered code: String, _ message: String) {
      body = ["code": .text(code), "message": .text(UntrustedText.line(message))]
    }

    /// - Throws: `error` where it says nothing to whoever wrote the line, and so is no answer to it.
    init(_ error: any Error) throws {
      let told = RequestError(error)
      if told.status == 500 { throw error }
      self.init(status: told.status, body: told.openAI)
    }
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
      let chat = try chat(try body(earlier: earlier), name: name, model: model, limits: limits)
      return Reply(status: 200, body: chat.format.body(try await ask(chat.asked.question)))
    } catch {
      return try Reply(error)
    }
  }

  /// The request that it brings.
  ///
  /// - Throws: what is wrong with the line.
  func body(earlier: Int?) throws -> JSONValue {
    if let earlier {
      throw RequestError.field(
        "custom_id", "line \(earlier) has the same; give each line its own", code: "duplicate_custom_id")
    }
    return try content.get()
  }

  /// Reads a request as it is answered.
  func chat(_ body: JSONValue, name: String, model: ServedModel, limits: AskingLimits) throws -> ChatRequest {
    let fields = try RequestFields(body, path: "")
    var chat = try ChatRequest(fields, model: model, limits: limits)
    try chat.makeRepeatable(fields, name: name, limits: limits)
    return chat
  }

  /// The line that is written.
  package func line(_ reply: Reply, name: String) -> JSONValue {
    var response = JSONValue.null
    if let status = reply.status {
      response = [
        "status_code": .integer(status), "request_id": .text("req_" + name.prefix(24)), "body": reply.body,
      ]
    }
    return [
      "id": .text(Self.id(name)), "custom_id": customID.map { .text($0) } ?? .null, "response": response,
      "error": reply.status == nil ? reply.body : .null,
    ]
  }

  /// The id of the line that is written.
  package static func id(_ name: String) -> String { beginOfIDs + name.prefix(24) }

  /// How ids of lines begin.
  package static let beginOfIDs = "batch_req_"
}
