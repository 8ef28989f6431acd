import FoundationEssentials
import VL2Base

/// The packed models that were put where packages keep them.
package enum InstalledModels {
  /// What a package of this program makes for models.
  package static let folder = "/var/lib/vl2"

  /// The paths of all files there that are called `.vl2q`, in alphabetical order.
  package static func paths(in folder: String = folder) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.filter { $0.hasSuffix(".vl2q") && !$0.hasPrefix(".") }.sorted().map { folder + "/" + $0 }
  }
}
