import Foundation
import TestSupport
import Testing
import VL2Base

@Suite struct ConfinedFolderTests {
  private func withFolder(_ body: (String, ConfinedFolder) throws -> Void) throws {
    try withTemporaryFolder { folder in
      try write(
        ["/in/a.txt": "a", "/in/sub/deep/b c.txt": "b", "/in/..c": "c", "/out.txt": "secret"], below: folder)
      try body(folder, try ConfinedFolder(path: folder + "/in"))
    }
  }

  private func content(_ folder: ConfinedFolder, _ name: String) throws -> String {
    let file = try folder.file(name)
    return String(decoding: try file.bytes(0..<file.length), as: UTF8.self)
  }

  @Test func below() throws {
    try withFolder { path, folder in
      for (name, text) in [
        ("a.txt", "a"), ("./a.txt", "a"), ("sub/deep/b c.txt", "b"), ("sub//deep/./b c.txt", "b"),
        ("..c", "c"),
        ("\(path)/in/a.txt", "a"), ("\(path)/in//sub/deep/b c.txt", "b"),
      ] {
        #expect(try content(folder, name) == text, "\(name)")
      }
      // Its own path may have links in it.
      try FileManager.default.createSymbolicLink(
        atPath: path + "/link", withDestinationPath: path + "/in")
      #expect(try content(ConfinedFolder(path: path + "/link"), "a.txt") == "a")
      #expect(try content(ConfinedFolder(path: path + "/link/"), "\(path)/link/a.txt") == "a")
    }
  }

  @Test func outside() throws {
    try withFolder { path, folder in
      let files = FileManager.default
      let inside = path + "/in"
      try files.createSymbolicLink(atPath: inside + "/file", withDestinationPath: path + "/out.txt")
      try files.createSymbolicLink(atPath: inside + "/up", withDestinationPath: "..")
      try files.createSymbolicLink(atPath: inside + "/own", withDestinationPath: "a.txt")
      #expect(mkfifo(inside + "/pipe", 0o600) == 0)
      for (name, part) in [
        ("../out.txt", "goes up"), ("sub/../../out.txt", "goes up"), ("sub/../a.txt", "goes up"),
        ("\(path)/in/../out.txt", "goes up"), ("\(path)/out.txt", "it is outside"),
        ("/dev/zero", "it is outside"),
        ("/", "it is outside"), ("\(path)/inner", "it is outside"), ("file", "a link is in its path"),
        ("up/out.txt", "a link is in its path"), ("own", "a link is in its path"),
        ("pipe", "no regular file"),
        ("sub", "no regular file"), ("a.txt/x", "leads through what is no folder"), ("", "names no file"),
        (".", "names no file"), ("a.txt\0.jpg", "no path"), ("none", "no such file"),
        ("none/a.txt", "no such file"), (String(repeating: "x", count: 300), "file name too long"),
      ] {
        #expect(throwsInput(naming: part) { try folder.file(name) }, "\(name)")
      }
      #expect(throwsInput(naming: "no such folder") { try ConfinedFolder(path: path + "/none") })
      #expect(throwsInput(naming: "no such folder") { try ConfinedFolder(path: inside + "/a.txt") })
    }
  }

  private func throwsInput(naming part: String, _ body: () throws -> some Any) -> Bool {
    do {
      _ = try body()
      return false
    } catch {
      return (error as? InputError)?.description.contains(part) ?? false
    }
  }

  /// A folder that becomes a link while names are walked leads out no more than one that is a link from the beginning.
  @Test func swappedMeanwhile() throws {
    try withFolder { path, folder in
      let files = FileManager.default
      try write(["/in/swap/x": "inside", "/outside/x": "secret"], below: path)
      try files.createSymbolicLink(atPath: path + "/in/other", withDestinationPath: path + "/outside")
      let isOver = Monitor(false)
      let (swap, other, aside) = (path + "/in/swap", path + "/in/other", path + "/in/aside")
      let ended = Monitor(false)
      try SystemThread.start("swaps") {
        while !isOver.withLock({ $0 }) {
          rename(swap, aside)
          rename(other, swap)
          rename(swap, other)
          rename(aside, swap)
        }
        ended.change { $0 = true }
      }
      var found: Set<String> = []
      for _ in 0..<20_000 { if let text = try? content(folder, "swap/x") { found.insert(text) } }
      isOver.withLock { $0 = true }
      ended.wait { $0 ? () : nil }
      #expect(found == ["inside"])
    }
  }
}
