import VL2Base

extension HTTPResponse {
  init(status: Int = 200, json: JSONValue, headers: [(name: String, value: String)] = []) {
    self.init(status: status, headers: [("Content-Type", "application/json")] + headers, body: json.json)
  }
}
