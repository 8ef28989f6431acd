import Testing
import VL2Base

@Suite struct JSONReaderTests {
  private func read(_ text: String) throws -> JSONValue { try JSONReader.read(Array(text.utf8)) }

  @Test func aByteOrderMarkIsSkippedWherePeopleWrite() throws {
    let text = ByteOrderMark.utf8 + Array("{\"type\":\"null\"}\n".utf8)
    #expect(try JSONReader.read(text) == ["type": "null"])
    #expect(throws: JSONReader.Failure.self) { try JSONReader.read(text, writer: .program) }
    // One, before the text, and where else it is a fault the place is counted in the file's own bytes.
    #expect(throws: JSONReader.Failure.self) { try JSONReader.read(ByteOrderMark.utf8 + text) }
    #expect(throws: JSONReader.Failure.self) { try read("[\u{FEFF}1]") }
    #expect(try read("\"\u{FEFF}\"") == "\u{FEFF}")
    do {
      _ = try JSONReader.read(ByteOrderMark.utf8 + Array("[x]".utf8))
      Issue.record("x is no value")
    } catch let failure as JSONReader.Failure {
      #expect(failure.offset == 4)
    }
  }

  @Test(arguments: [
    "9223372036854775808", "18446744073709551615", "-9223372036854775809",
    "340282366920938463463374607431768211456",
  ])
  func wholeNumbersBeyondInt(_ text: String) throws {
    let value = try read(text)
    #expect(value == .wideInteger(Array(text.utf8)))
    #expect(value.json == Array(text.utf8) && value.kind == text)
    #expect(value.number == Double(text))
    #expect(value.isEquivalent(to: try read(text)))
  }

  @Test func wideAndOtherNumbers() throws {
    #expect(try read("9223372036854775807") == .integer(.max))
    #expect(try read("1.8446744073709552e19") == .real(0x1p64))
    #expect(try read("18446744073709551616").isEquivalent(to: .real(0x1p64)))
    #expect(try !read("18446744073709551615").isEquivalent(to: .real(0x1p64)))
    #expect(try !read("18446744073709551615").isEquivalent(to: read("18446744073709551614")))
    #expect(try read("1" + String(repeating: "0", count: 60)).isEquivalent(to: .real(1e60)))
    #expect(throws: JSONReader.Failure.self) { try read(String(repeating: "9", count: 400)) }
  }

  @Test func theMarkInTextsThatAreNoJSON() {
    #expect(Array(ByteOrderMark.dropped(from: ByteOrderMark.utf8 + [65])) == [65])
    #expect(Array(ByteOrderMark.dropped(from: [65] + ByteOrderMark.utf8)) == [65] + ByteOrderMark.utf8)
  }
}
