import Testing
import VL2Base

@Suite struct ByteSizeTests {
  @Test func reading() {
    #expect(ByteSize("900M")?.bytes == 900 << 20)
    #expect(ByteSize("2G")?.bytes == 2 << 30)
    #expect(ByteSize("12k")?.bytes == 12 << 10)
    #expect(ByteSize("12345")?.bytes == 12345)
    #expect(ByteSize("0")?.bytes == 0)
    for text in ["", "M", "-1M", "1.5G", "1T", "1 M", "99999999999999999999", "9999999999G", "M1"] {
      #expect(ByteSize(text) == nil, "\(text)")
    }
  }

  @Test(arguments: [
    (0, "0 bytes"), (1, "1 byte"), (1023, "1023 bytes"), (1024, "1 KiB"), (16 << 10, "16 KiB"),
    (1_048_575, "1.0 MiB"), (420 << 20, "420 MiB"), (1_572_864, "1.5 MiB"), (104_810_000, "100 MiB"),
    (1_073_741_823, "1.0 GiB"), (1_932_735_283, "1.8 GiB"), (24 << 30, "24 GiB"), (3 << 40, "3 TiB"),
  ])
  func printing(_ bytes: Int, _ text: String) {
    #expect(ByteSize(bytes: bytes).description == text)
  }

  /// What is printed as an option's value is enough when it is read again, and not over a mebibyte too much.
  @Test(arguments: [0, 1, 420 << 20, 420 << 20 + 1, 2 << 30 - 1])
  func arguments(_ bytes: Int) throws {
    let text = ByteSize(bytes: bytes).argument
    let read = try #require(ByteSize(text)).bytes
    #expect(read >= bytes && read < bytes + 1 << 20, "\(text)")
  }

  @Test func columns() {
    #expect(ByteSize(bytes: 0).mebibytes == "0.0")
    #expect(ByteSize(bytes: 1_572_864).mebibytes == "1.5")
    #expect(ByteSize(bytes: 3 << 30).mebibytes == "3072.0")
  }

  @Test func numbers() {
    #expect(NumberText.grouped(0) == "0" && NumberText.grouped(1000) == "1,000")
    #expect(NumberText.grouped(1_234_567) == "1,234,567" && NumberText.grouped(999) == "999")
    #expect(NumberText.fixed(2.345, 1) == "2.3" && NumberText.percent(0.5) == "50.0 %")
    #expect(NumberText.rounded(123.4) == "123" && NumberText.rounded(0.01234) == "0.0123")
  }
}
