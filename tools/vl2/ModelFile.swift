import ArgumentParser
import FoundationEssentials
import VL2Base
import VL2Measure

/// Which packed model is meant: the one that an option names, else `$VL2_MODEL`, else the only one that is installed.
enum ModelFile {
  static let help = ArgumentHelp(
    "The packed model. (default: $VL2_MODEL, else the only one in \(InstalledModels.folder))",
    valueName: "file")

  /// - Returns: nil where there is none.
  /// - Throws: `ValidationError` where there are several.
  static func path(_ option: String?) throws -> String? {
    if let path = option ?? ProcessInfo.processInfo.environment["VL2_MODEL"], option != nil || !path.isEmpty {
      return path
    }
    let installed = InstalledModels.paths()
    if installed.count > 1 {
      throw ValidationError(
        "No model given, and there are several: \(UntrustedText.line(installed.joined(separator: ", "))); use --model FILE, or set VL2_MODEL."
      )
    }
    return installed.first
  }
}
