import VL2Base

/// Answers that need no model.
enum StaticAnswer {
  static func response(to route: Route, _ head: RequestHead) -> HTTPResponse? {
    switch route {
    case .home:
      if head.value("accept")?.lowercased().contains("text/html") ?? false {
        return page(AskPage.html, AskPage.contentSecurityPolicy, more: [("Vary", "Accept")])
      }
      // Programs look for exactly these words, to find a server that speaks as Ollama does.
      return HTTPResponse(
        status: 200, contentType: "text/plain; charset=utf-8", text: "Ollama is running")
    case .kiosk: return page(KioskPage.html, KioskPage.contentSecurityPolicy)
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

  /// A page for people. A new version of the program has a new page, so browsers ask each time.
  private static func page(
    _ html: String, _ policy: String, more: [(name: String, value: String)] = []
  ) -> HTTPResponse {
    var response = HTTPResponse(status: 200, contentType: "text/html; charset=utf-8", text: html)
    response.headers += [
      ("Content-Security-Policy", policy), ("X-Content-Type-Options", "nosniff"),
      ("Referrer-Policy", "no-referrer"), ("Cache-Control", "no-cache"),
    ]
    response.headers += more
    return response
  }

  /// A browser that has seen another server at this port keeps that one's service worker, which would go on to show the other's
  /// page. It asks for this script, which takes it away.
  private static let departingWorker = """
    self.addEventListener("install", () => self.skipWaiting());
    self.addEventListener("activate", () => self.registration.unregister());

    """
}
