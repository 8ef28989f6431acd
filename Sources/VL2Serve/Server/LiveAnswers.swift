import VL2Base

/// What a camera sees and says, over HTTP.
extension Server {
  func answerLive(_ route: Route, _ head: RequestHead, _ exchange: Exchange) throws {
    guard let live, let developing else { return }
    switch route {
    case .liveEvents:
      if head.method == "HEAD" {
        return exchange.respond(HTTPResponse(streamOf: LiveSource.contentType))
      }
      try live.stream(to: exchange, after: head.value("last-event-id"))
    case .liveAsk:
      let camera = try live.ask()
      exchange.respond(HTTPResponse(status: 202, json: ["status": "asked", "camera": .text(camera)]))
    case .liveFrame:
      guard let frame = live.frame else {
        throw RequestError.busy(
          "the camera has given no picture yet", retryAfter: 2, status: 503, code: "no_picture")
      }
      let tag = "\"\(live.name)-\(frame.number)\""
      var response = HTTPResponse(
        status: 200,
        headers: [
          ("Content-Type", "image/jpeg"), ("Cache-Control", "no-store"),
          ("X-Content-Type-Options", "nosniff"), ("ETag", tag), ("X-Frame-Number", "\(frame.number)"),
          ("X-Frame-Time", frame.time),
        ])
      if head.value("if-none-match") == tag {
        response.status = 304
        response.headers.removeFirst()
        return exchange.respond(response)
      }
      developing.add { [self, response] in
        if exchange.isGone { return }
        do {
          var response = response
          response.body = try frame.jpeg()
          exchange.respond(response)
        } catch {
          let problem = (error as? any ReportableError)?.line() ?? "\(error)"
          refuse(
            exchange,
            RequestError(
              status: 503, type: "unavailable_error", "the picture cannot be shown: \(problem)",
              code: "no_picture"))
        }
      }
    default: break
    }
  }
}
