/// What is at each address.
enum Route: Sendable, CaseIterable {
  case home, health, ready, models, model, properties, chat, countTokens, responses, countInput
  case serviceWorker, webManifest, pageVersion, metrics
  case kiosk, liveFrame, liveEvents, liveAsk
  case ollamaVersion, ollamaTags, ollamaRunning, ollamaShow, ollamaChat, ollamaGenerate, ollamaPull

  /// The paths, as requests must write them. One that ends with `/` takes a name after it.
  var paths: [String] {
    switch self {
    case .home: ["/"]
    case .health: ["/health", "/v1/health"]
    case .ready: ["/readyz"]
    case .models: ["/v1/models", "/models"]
    case .model: ["/v1/models/", "/models/"]
    case .properties: ["/props"]
    case .chat: ["/v1/chat/completions", "/chat/completions"]
    case .countTokens: ["/v1/chat/completions/input_tokens", "/chat/completions/input_tokens"]
    case .responses: ["/v1/responses", "/responses"]
    case .countInput: ["/v1/responses/input_tokens", "/responses/input_tokens"]
    case .serviceWorker: ["/sw.js"]
    case .webManifest: ["/manifest.webmanifest"]
    case .pageVersion: ["/_app/version.json"]
    case .metrics: ["/metrics"]
    case .kiosk: ["/kiosk"]
    case .liveFrame: ["/live/frame.jpg"]
    case .liveEvents: ["/live/events"]
    case .liveAsk: ["/live/ask"]
    case .ollamaVersion: ["/api/version"]
    case .ollamaTags: ["/api/tags"]
    case .ollamaRunning: ["/api/ps"]
    case .ollamaShow: ["/api/show"]
    case .ollamaChat: ["/api/chat"]
    case .ollamaGenerate: ["/api/generate"]
    case .ollamaPull: ["/api/pull"]
    }
  }

  /// The methods besides OPTIONS.
  var methods: [String] {
    switch self {
    case .chat, .countTokens, .responses, .countInput, .liveAsk: ["POST"]
    case .ollamaShow, .ollamaChat, .ollamaGenerate, .ollamaPull: ["POST"]
    default: ["GET", "HEAD"]
    }
  }

  /// Whether its requests are questions.
  var isAnswer: Bool {
    switch self {
    case .chat, .responses, .ollamaChat, .ollamaGenerate: true
    default: false
    }
  }

  /// As it is counted and logged: without what a client wrote.
  var label: String { self == .model ? "/v1/models/{model}" : paths[0] }

  /// Whether it is there for everybody who may reach the server, key or not: it says nothing of the model.
  var isPublic: Bool {
    switch self {
    case .home, .kiosk, .health, .ready, .serviceWorker, .webManifest, .pageVersion: true
    default: false
    }
  }

  /// Whether it is there only where the server looks through a camera.
  var isLive: Bool {
    switch self {
    case .kiosk, .liveFrame, .liveEvents, .liveAsk: true
    default: false
    }
  }

  private static let table: [String: Route] = Dictionary(
    uniqueKeysWithValues: allCases.flatMap { route in route.paths.map { ($0, route) } })

  /// The route of a path, and the name that a path ends with.
  static func find(_ path: String) -> (Route, name: String)? {
    if let route = table[path], route != .model { return (route, "") }
    for prefix in Route.model.paths where path.hasPrefix(prefix) && path.utf8.count > prefix.utf8.count {
      return (.model, String(path.dropFirst(prefix.count)))
    }
    return nil
  }
}
