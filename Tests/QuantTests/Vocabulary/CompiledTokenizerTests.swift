import TestModels
import TestSupport
import Testing

@Suite struct CompiledTokenizerTests {
  @Test func theSameFileGivesTheSameBytes() throws {
    #expect(try TokenizerFixtures.nanoSection() == TokenizerFixtures.nanoSection())
    // FNV-1a over the bytes, so that no machine and no Swift version makes others.
    let hash = try fnv1a(TokenizerFixtures.nanoSection().map(Int.init))
    #expect(hash == "6205659ac560654e")
  }
}
