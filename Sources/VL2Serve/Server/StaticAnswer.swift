import VL2Base

/// Answers that need no model.
enum StaticAnswer {
  static func response(to route: Route, _ head: RequestHead) -> HTTPResponse? {
    switch route {
    case .home:
      let isBrowser = head.value("accept")?.contains("text/html") ?? false
      return HTTPResponse(
        status: 200, contentType: "text/plain; charset=utf-8",
        // Programs look for exactly these words, to find a server that speaks as Ollama does.
        text: isBrowser
          ? "vl2 \(packageVersion) is running. Programs can ask it as they ask OpenAI or Ollama: see docs/SERVING.md.\n"
          : "Ollama is running")
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

  /// A browser that has seen another server at this port keeps that one's service worker, which would go on to show the other's
  /// page. It asks for this script, which takes it away.
  private static let departingWorker = """
    self.addEventListener("install", () => self.skipWaiting());
    self.addEventListener("activate", () => self.registration.unregister());

    """
}
