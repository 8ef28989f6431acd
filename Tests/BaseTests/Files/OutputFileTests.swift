import Foundation
import TestSupport
import Testing
import VL2Base

@Suite struct OutputFileTests {
  private func refusal(_ path: String) -> String? {
    reported { _ = try OutputFile(replacing: path) }.map { error in
      #expect(error is OutputError && error.kind == .inputOutput)
      return error.description
    }
  }

  /// Until something is written, nothing is made or changed.
  @Test func findsOutBeforehand() throws {
    try withTemporaryFolder { folder in
      #expect(refusal(folder) == "\(folder): cannot be written: it is a folder; give the path of a file")
      #expect(refusal(folder + "/new/")?.contains("it is a folder") == true)
      #expect(
        refusal(folder + "/none/x")
          == "\(folder)/none/x: cannot be written: no such folder; give a path in one that exists")
      #expect(refusal("")?.hasPrefix("\"\": cannot be written") == true)
      try write("old".utf8, to: folder + "/old")
      #expect(refusal(folder + "/old/x")?.contains("no such folder") == true)
      for path in [folder + "/old", folder + "/new", "/dev/null", "new"] {
        #expect(refusal(path) == nil, "\(path)")
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["old"])
      #expect(try String(contentsOfFile: folder + "/old", encoding: .utf8) == "old")
    }
  }

  @Test(.enabled(if: geteuid() != 0, "root may write anywhere")) func whereOneMayNotWrite() throws {
    try withTemporaryFolder { folder in
      try FileManager.default.setAttributes([.posixPermissions: 0o500], ofItemAtPath: folder)
      defer { try? FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder) }
      #expect(refusal(folder + "/new")?.contains("where you may write") == true)
    }
  }

  @Test func replacesWhatIsThere() throws {
    try withTemporaryFolder { folder in
      let (path, link) = (folder + "/x", folder + "/link")
      try FileManager.default.createSymbolicLink(atPath: link, withDestinationPath: "x")
      for text in ["first", "second", ""] {
        try OutputFile(replacing: path).write(Data(text.utf8))
        #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
      }
      try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
      try OutputFile(replacing: link).write(Data("through the link".utf8))
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "through the link")
      #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link) == "x")
      #expect(try mode(path) == 0o600)
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder).sorted() == ["link", "x"])
    }
  }

  /// A device stays one.
  @Test func devicesAreWrittenTo() throws {
    try OutputFile(replacing: "/dev/null").write(Data([1, 2, 3]))
    var status = stat()
    #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
    let full = try OutputFile(replacing: "/dev/full")
    #expect(throws: OutputError.self) { try full.write(Data([1])) }
  }

  /// The folder goes while the work is done.
  @Test func laterFailures() throws {
    try withTemporaryFolder { folder in
      let inner = folder + "/inner"
      try FileManager.default.createDirectory(atPath: inner, withIntermediateDirectories: false)
      let file = try OutputFile(replacing: inner + "/x")
      try FileManager.default.removeItem(atPath: inner)
      #expect(throws: OutputError.self) { try file.write(Data([1])) }
      // Something that cannot be replaced takes the file's place.
      let other = try OutputFile(replacing: folder + "/y")
      try FileManager.default.createDirectory(atPath: folder + "/y/z", withIntermediateDirectories: true)
      #expect(throws: OutputError.self) { try other.write(Data([1])) }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["y"])
    }
  }
}
