import Testing
import VL2Base

@Suite struct PathTextTests {
  @Test(arguments: [
    ("", ""), ("a", ""), ("/", "/"), ("//", "/"), ("/a", "/"), ("a/b", "a"), ("/a/b", "/a"), ("a/b/", "a"),
    ("/a/", "/"),
    ("../a", ".."), ("a/../b", "a/.."), ("ä/ö.jpg", "ä"),
  ])
  func folders(path: String, folder: String) {
    #expect(PathText.folder(of: path) == folder)
  }

  @Test func homes() {
    let home = PathText.expandingHome("~")
    #expect(home.first == "/")
    #expect(PathText.expandingHome("~/a b") == (home == "/" ? "" : home) + "/a b")
    #expect(PathText.expandingHome("~root/a") == "/root/a")
    for path in ["", "a", "/a", "a/~", "~nobody-of-this-name/a"] {
      #expect(PathText.expandingHome(path) == path)
    }
  }
}
