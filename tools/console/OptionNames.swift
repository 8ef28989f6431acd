import VL2Base

/// What hints call settings on a command line.
enum OptionNames {
  /// - Parameter value: what is advised, if anything: `--memory 420M`.
  static func name(_ setting: Setting, _ value: String?) -> String {
    let name =
      switch setting {
      case .memory: "--memory"
      case .context: "--context"
      case .maxTokens: "--max-tokens"
      case .base: value == nil ? "--base FOLDER" : "--base"
      case .resume: "--resume"
      case .codes: "--recipe or --weights"
      case .calibration: "--calibration"
      case .sections: "--sections"
      case .packing: "vl2-convert pack CHECKPOINT -o FILE"
      case .recipe: "what 'vl2-convert inspect --recipe' prints"
      case .manifest: "'vl2-convert inspect FILE --json'"
      case .routes: "vl2 trace --routes"
      case .port: value == nil ? "--port N" : "--port"
      }
    return value.map { "\(name) \($0)" } ?? name
  }
}
