import Foundation
import TestModels
import TestSupport
import Testing

/// What packing asks the system to read, by /proc: the source once.
@Suite(.enabled(if: !Tool.isEmulated, "an emulator reads too")) struct PackingReadsTests {
  /// Waits without a child of its own, so that the shell does not forget the program before it is looked at.
  private static let script = #"""
    "$@" & pid=$!
    while read -r line < /proc/$pid/stat; do case "$line" in *") Z "*) break ;; esac; done
    while read -r line; do echo "$line"; done < /proc/$pid/io
    wait $pid
    """#

  private func bytesRead(_ arguments: [String]) throws -> Int {
    let run = try Tool("vl2-convert").run(arguments, script: Self.script)
    #expect(run.status == 0, "\(run.errors)")
    let line = try #require(run.output.split(separator: "\n").first { $0.hasPrefix("rchar: ") })
    return try #require(Int(line.dropFirst("rchar: ".count)))
  }

  @Test func shardsAreReadOnce() throws {
    try withTemporaryFolder { folder in
      var copy = try CheckpointCopy()
      // As safetensors writes it.
      copy.tensors.sort { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
      try copy.write(to: folder + "/ck")
      let source = try bytes(of: folder + "/ck/model-1-of-1.safetensors").count
      let start = try bytesRead(["--help"])
      let pack = ["pack", folder + "/ck", "-o", folder + "/m.vl2q"]
      let once = try bytesRead(pack) - start
      // The texts besides are read to be understood and to be hashed.
      #expect(once >= source && once < source * 21 / 20, "\(once) of \(source)")
      // Compressed sections are made in their own order, of the tensors that are used.
      let twice = try bytesRead(pack + ["--sections", "zstd"]) - start
      #expect(twice > source * 3 / 2 && twice < source * 41 / 20, "\(twice) of \(source)")
    }
  }
}
