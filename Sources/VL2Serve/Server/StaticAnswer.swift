import VL2Base

/// Answers that need no model.
enum StaticAnswer {
  static func response(to route: Route, _ head: RequestHead) -> HTTPResponse? {
    switch route {
    case .home:
      if head.value("accept")?.lowercased().contains("text/html") ?? false { return page }
      // Programs look for exactly these words, to find a server that speaks as Ollama does.
      return HTTPResponse(
        status: 200, contentType: "text/plain; charset=utf-8", text: "Ollama is running")
    case .serviceWorker:
      return HTTPResponse(status: 200, contentType: "text/javascript", text: departingWorker)
    case .webManifest:
      let manifest: JSONValue = [
        "name": "vl2", "short_name": "vl2", "start_url": "/", "display": "standalone",
      ]
      return HTTPResponse(
        status: 200, contentType: "application/manifest+json",
        text: String(decoding: manifest.json, as: UTF8.self))
    case .pageVersion: return HTTPResponse(json: ["version": .text(packageVersion)])
    case .ollamaVersion: return HTTPResponse(json: ["version": .text(packageVersion)])
    default: return nil
    }
  }

  /// The page for people. A new version of the program has a new page, so browsers ask each time.
  private static var page: HTTPResponse {
    var response = HTTPResponse(status: 200, contentType: "text/html; charset=utf-8", text: AskPage.html)
    response.headers += [
      ("Content-Security-Policy", AskPage.contentSecurityPolicy), ("X-Content-Type-Options", "nosniff"),
      ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-cache"), ("Vary", "Accept"),
    ]
    return response
  }

  /// A browser that has seen another server at this port keeps that one's service worker, which would go on to show the other's
  /// page. It asks for this script, which takes it away.
  private static let departingWorker = """
    self.addEventListener("install", () => self.skipWaiting());
    self.addEventListener("activate", () => self.registration.unregister());

    """
}
