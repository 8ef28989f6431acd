import VL2Base
import VL2Run

/// What operators watch.
extension Server {
  package func note(_ event: TransportEvent) {
    switch event {
    case .connectionOpened: metrics.note(connections: 1)
    case .connectionClosed: metrics.note(connections: -1)
    case .unreadableRequest(let client):
      metrics.noteUnreadable()
      log.add("\(RequestLine.name(client)): a request that cannot be read")
    case .requestEnded(let end):
      let route = Route.find(end.head.path)?.0
      metrics.note(end, route: route?.label ?? "other")
      // Supervisors ask every few seconds, pages for each frame.
      let isRoutine = route?.isRoutine ?? false && end.status < 400
      if !end.hasLine, !isRoutine { log.add(RequestLine.text(end)) }
    }
  }

  /// Whether everything is in the log.
  package var isLogged: Bool { log.isEmpty }

  /// The answer to `/metrics`.
  var figures: HTTPResponse {
    var text = MetricsText()
    let serving = serving
    text.add(
      "vl2_build_info", .gauge, "The version of vl2; the value is 1.", [([("version", packageVersion)], 1)])
    text.add(
      "vl2_ready", .gauge, "Whether questions are answered: 0 while the model is loaded.",
      serving == nil ? 0 : 1)
    if let (_, model) = serving {
      text.add(
        "vl2_model_info", .gauge, "The model and the code of most of its weights; the value is 1.",
        [([("model", model.name), ("code", model.code)], 1)])
    }
    let (waiting, working) = places.counts
    text.add(
      "vl2_questions", .gauge, "Questions that wait, and those that are answered.",
      [([("state", "waiting")], Double(waiting)), ([("state", "working")], Double(working))])
    text.add("vl2_questions_waiting_limit", .gauge, "The most questions that may wait.", limits.waiting)
    text.add("vl2_deadline_seconds", .gauge, "The most seconds for a question.", limits.deadline)
    metrics.write(to: &text)
    if let (engine, _) = serving { engine.figures.write(to: &text) }
    live?.write(to: &text)
    text.add(
      "vl2_silence_seconds", .gauge,
      "Seconds for which nothing was done for those who wait; 0 where nobody waits.", silence)
    text.add(
      "vl2_watchdog_timeout_seconds", .gauge,
      "Seconds of silence after which the service manager starts the server again; 0 where it does not.",
      watchdogSeconds ?? 0)
    ProcessFigures().write(to: &text)
    return HTTPResponse(status: 200, contentType: MetricsText.contentType, text: text.text)
  }

  private var silence: Double {
    guard let busySince = places.busySince else { return 0 }
    return (ContinuousClock.now - max(busySince, lastProgress)) / .seconds(1)
  }
}

extension LiveSource {
  fileprivate func write(to text: inout MetricsText) {
    let counts = counts
    text.add(
      "vl2_camera_state", .gauge, "How the camera is: 1 for the state that it is in, 0 for the others.",
      LiveStatus.cameras.map { ([("state", $0)], $0 == counts.camera ? 1 : 0) })
    text.add("vl2_camera_frames_total", .counter, "Frames that were looked at.", counts.frames)
    text.add(
      "vl2_camera_lines_total", .counter, "Answers and events that were told.",
      [
        ([("kind", "answer")], Double(counts.answers)),
        ([("kind", "event")], Double(counts.lines - counts.answers)),
      ])
    text.add("vl2_live_clients", .gauge, "Clients that are told of the camera as it happens.", counts.clients)
    text.add(
      "vl2_live_slow_clients_total", .counter,
      "Those that did not take what they were told and were let go of.",
      counts.slow)
  }
}

extension Route {
  /// Whether it is asked for every few seconds.
  fileprivate var isRoutine: Bool {
    switch self {
    case .health, .ready, .metrics, .liveFrame: true
    default: false
    }
  }
}
