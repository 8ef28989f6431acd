import Foundation
import TestModels
import TestSupport
import Testing

/// A program that a command needs is not installed: one line names its Debian package. (What starts an emulator needs programs
/// itself, so this is shown where there is none.)
@Suite(.enabled(if: !Tool.isEmulated)) struct MissingProgramTests {
  /// A folder with files to read, and in it one that is all of PATH, with some of the programs.
  private func withFiles(_ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try FileManager.default.createDirectory(atPath: folder + "/bin", withIntermediateDirectories: true)
      try write("%PDF-1.7".utf8, to: folder + "/a.pdf")
      // The first box of an MP4 file.
      try write(
        [0, 0, 0, 20] + Array("ftypisom".utf8) + [0, 0, 2, 0] + Array("isom".utf8), to: folder + "/a.mp4")
      try body(folder)
    }
  }

  @Test(arguments: [
    (["read", "a.pdf"], "", "pdfinfo", "poppler-utils"),
    (["read", "a.pdf"], "pdfinfo", "pdftotext", "poppler-utils"),
    (["read", "a.pdf", "--text-layer"], "pdfinfo", "pdftotext", "poppler-utils"),
    (["read", "a.pdf"], "pdfinfo pdftotext", "pdftoppm", "poppler-utils"),
    (["read", "a.mp4"], "", "ffmpeg", "ffmpeg"),
    (["ask", "a.mp4", "What?"], "", "ffmpeg", "ffmpeg"),
    (["watch", "rtsp://me:secret@127.0.0.1/x", "What?"], "", "ffmpeg", "ffmpeg"),
    (["watch", "http://me:secret@127.0.0.1/x.jpg", "What?"], "", "curl", "curl"),
  ]) func isNamed(words: [String], there: String, missing: String, package: String) throws {
    try withFiles { folder in
      for name in there.split(separator: " ") {
        let path = folder + "/bin/" + name
        try write("#!/bin/sh\n[ \(name) = pdftotext ] || echo Pages: 1\n".utf8, to: path)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
      }
      let model = ["--model", try PackedModels.path("nano-mha", .q4)]
      let given = words.map { $0.hasPrefix("a.") ? folder + "/" + $0 : $0 }
      var run = try vl2.run([given[0]] + model + given.dropFirst(), environment: ["PATH": folder + "/bin"])
      // How many pictures are asked about is said before there is one.
      run.errors = run.errors.split(separator: "\n").filter { !$0.contains("asking about at most") }
        .map { $0 + "\n" }.joined()
      expectFailure(
        run, status: 69,
        naming:
          "\(missing): no such program; install the Debian package \(package): 'apt install \(package)'",
        words)
      #expect(!run.errors.contains("secret"))
    }
  }

  private let vl2 = Tool("vl2")

  @Test func speech() throws {
    try withFiles { folder in
      let picture = Fixtures.pocket + "/eval/ci/pictures/0004.jpg"
      expectFailure(
        try vl2.run(
          ["describe", "--model", try PackedModels.pocket(), "--say", picture],
          environment: ["PATH": folder + "/bin"]), status: 69,
        naming:
          "neither spd-say nor espeak-ng is installed; install the Debian package speech-dispatcher or espeak-ng"
      )
    }
  }
}
