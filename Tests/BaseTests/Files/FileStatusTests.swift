import Foundation
import TestSupport
import Testing
import VL2Base

@Suite struct FileStatusTests {
  @Test func filesFoldersAndLinks() throws {
    try withTemporaryFolder { folder in
      let path = folder + "/file"
      try Data(count: 70_000).write(to: URL(fileURLWithPath: path))
      try FileManager.default.createSymbolicLink(atPath: folder + "/link", withDestinationPath: "file")
      for name in ["/file", "/link"] {
        let status = try #require(FileStatus(folder + name))
        #expect(status.bytes == 70_000 && !status.isFolder)
      }
      #expect(FileStatus(folder)?.isFolder == true)
      #expect(FileStatus(folder + "/missing") == nil)
    }
  }
}
