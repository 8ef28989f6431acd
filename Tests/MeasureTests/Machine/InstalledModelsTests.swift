import Foundation
import TestSupport
import Testing
import VL2Measure

@Suite struct InstalledModelsTests {
  @Test func packedFilesOfAFolder() throws {
    try withTemporaryFolder { folder in
      #expect(InstalledModels.paths(in: folder).isEmpty)
      for name in ["tiny.vl2q", "base.vl2q", "tiny.vl2q.part", ".tiny.vl2q", "notes.txt"] {
        #expect(FileManager.default.createFile(atPath: folder + "/" + name, contents: Data()))
      }
      #expect(InstalledModels.paths(in: folder) == ["base.vl2q", "tiny.vl2q"].map { folder + "/" + $0 })
      #expect(InstalledModels.paths(in: folder + "/missing").isEmpty)
    }
  }
}
