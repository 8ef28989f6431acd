import FoundationEssentials

/// The limit of the addresses that a process may use (`ulimit -v`). Memory that is asked for counts, and so does every file
/// that is mapped, whether it is used or not.
package struct AddressSpaceLimit: Sendable, Equatable {
  /// Bytes that the process may use.
  package var bytes: Int
  /// Bytes that it uses now.
  package var used: Int

  /// Bytes that it may still take.
  package var left: Int { max(0, bytes - used) }

  /// The limit of this process; nil where it has none. Source: proc(5).
  ///
  /// - Parameter root: a folder that stands for "/".
  package static func read(root: String = "") -> AddressSpaceLimit? {
    let limits = (try? String(contentsOfFile: root + "/proc/self/limits", encoding: .utf8)) ?? ""
    let sizes = (try? String(contentsOfFile: root + "/proc/self/status", encoding: .utf8)) ?? ""
    guard let bytes = number(after: "Max address space", of: limits),
      let used = number(after: "VmSize:", of: sizes)
    else { return nil }
    return AddressSpaceLimit(bytes: bytes, used: used << 10)
  }

  private static func number(after name: String, of text: String) -> Int? {
    guard let line = text.split(separator: "\n").first(where: { $0.hasPrefix(name) }) else { return nil }
    return line.dropFirst(name.count).split(whereSeparator: \.isWhitespace).first.flatMap { Int($0) }
  }

  /// The end of an error line about memory that was refused.
  package var problem: String { "this process may use \(bytes >> 20)M of addresses (ulimit -v)" }

  package static let hint: Hint =
    "lift that limit ('ulimit -v unlimited'): a model's file counts in it as a whole, used or not"
}
