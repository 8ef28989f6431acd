import Foundation
import TestSupport
import Testing
import VL2Base

@Suite struct FileIdentityTests {
  /// A file, a folder and links to both.
  private func withFiles(_ body: (String) throws -> Void) throws {
    try withTemporaryFolder { folder in
      let files = FileManager.default
      try files.createDirectory(atPath: folder + "/in", withIntermediateDirectories: false)
      try write("a".utf8, to: folder + "/in/a")
      try files.linkItem(atPath: folder + "/in/a", toPath: folder + "/hard")
      for (link, target) in [
        ("soft", "in/a"), ("softer", "soft"), ("folder", "in"), ("dangling", "in/new"),
        ("absolute", folder + "/in/new"), ("round", "round"),
      ] {
        try files.createSymbolicLink(atPath: folder + "/" + link, withDestinationPath: target)
      }
      try body(folder)
    }
  }

  @Test func theSameFile() throws {
    try withFiles { folder in
      let file = try #require(FileIdentity(folder + "/in/a"))
      for name in ["hard", "soft", "softer", "folder/a", "./in/../in//a"] {
        #expect(FileIdentity(folder + "/" + name) == file, "\(name)")
      }
      try write("a".utf8, to: folder + "/other")
      for name in ["other", "in", "in/b", "round"] {
        #expect(FileIdentity(folder + "/" + name) != file, "\(name)")
      }
      #expect(FileIdentity(folder + "/folder") == FileIdentity(folder + "/in"))
    }
  }

  /// What is not there yet is its folder and its name.
  @Test func filesToBe() throws {
    try withFiles { folder in
      let new = try #require(FileIdentity(folder + "/in/new"))
      for name in ["folder/new", "dangling", "absolute", "in/./new", "in/new/"] {
        #expect(FileIdentity(folder + "/" + name) == new, "\(name)")
      }
      for name in ["in/newer", "new", "in/a"] {
        #expect(FileIdentity(folder + "/" + name) != new, "\(name)")
      }
      for name in ["none/new", "in/a/new", "round"] {
        #expect(FileIdentity(folder + "/" + name) == nil, "\(name)")
      }
      #expect(FileIdentity("vl2-of-no-such-name") == FileIdentity("./vl2-of-no-such-name"))
      // It is another one once it is there.
      try write("".utf8, to: folder + "/in/new")
      #expect(FileIdentity(folder + "/in/new") != new)
      #expect(FileIdentity(folder + "/dangling") == FileIdentity(folder + "/in/new"))
    }
  }

  @Test func matches() throws {
    try withFiles { folder in
      let others = [folder + "/none/x", folder + "/hard", folder + "/soft"]
      #expect(FileIdentity.match(of: folder + "/in/a", among: others) == folder + "/hard")
      #expect(FileIdentity.match(of: folder + "/in", among: others) == nil)
      // Two paths that lead nowhere are not the same.
      #expect(FileIdentity.match(of: folder + "/none/x", among: others) == nil)
    }
  }
}
