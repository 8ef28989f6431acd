import Foundation
import Testing
import VL2Base

@Suite struct PathTextTests {
  @Test(arguments: ["a", "/", "/a", "a/b", "/a/b", "a/b/", "../a", "a/../b", "ä/ö.jpg"])
  func folders(path: String) {
    #expect(PathText.folder(of: path) == (path as NSString).deletingLastPathComponent)
  }

  /// Foundation crashes here.
  @Test func emptyPath() {
    #expect(PathText.folder(of: "").isEmpty)
    #expect(PathText.expandingHome("").isEmpty)
  }

  @Test(arguments: ["a", "~", "~/a b", "~root/a", "~nobody-of-this-name/a", "a/~", "~~"])
  func homes(path: String) {
    #expect(PathText.expandingHome(path) == (path as NSString).expandingTildeInPath)
  }
}
