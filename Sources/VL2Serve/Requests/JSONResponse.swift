import VL2Base

extension HTTPResponse {
  init(status: Int = 200, json: JSONValue, headers: [(name: String, value: String)] = []) {
    self.init(status: status, headers: [("Content-Type", "application/json")] + headers, body: json.json)
  }

  /// The beginning of an answer that is told as it is written: nobody on the way is to keep or gather it.
  init(streamOf contentType: String, begin: [UInt8] = []) {
    self.init(
      status: 200,
      headers: [("Content-Type", contentType), ("Cache-Control", "no-cache"), ("X-Accel-Buffering", "no")],
      body: begin)
  }
}
