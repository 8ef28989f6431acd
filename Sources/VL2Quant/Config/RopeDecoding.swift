import VL2Base

extension ConfigObject {
  /// The base of the rotary angles. It stands under `rope_theta`, or, as newer programs write it, among
  /// `rope_parameters`.
  ///
  /// - Throws: `FileError` for any scaling of the angles: this program knows none.
  func ropeTheta() throws -> Double {
    for key in ["rope_scaling", "rope_parameters"] where has(key) {
      let parameters = try object(key)
      let type = try parameters.string("rope_type") ?? parameters.string("type") ?? "default"
      guard type == "default" else {
        throw failure(
          key, "is of type \(UntrustedText.quoted(type))", "this program knows null and \"default\" only")
      }
      let known: Set = ["rope_type", "type", "rope_theta"]
      if let other = keys(key).filter({ !known.contains($0) }).min() {
        throw failure(
          key, "has \(UntrustedText.quoted(other))", "this program knows null and the type \"default\" only")
      }
    }
    let theta = try positive("rope_theta", default: 10000)
    for key in ["rope_scaling", "rope_parameters"] {
      let parameters = try object(key)
      guard parameters.has("rope_theta") else { continue }
      let own = try parameters.positive("rope_theta", default: theta)
      guard !has("rope_theta") || own == theta else {
        throw parameters.failure("rope_theta", "is \(own), but rope_theta beside it is \(theta)")
      }
      return own
    }
    return theta
  }
}
