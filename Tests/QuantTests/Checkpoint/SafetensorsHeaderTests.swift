import TestModels
import TestSupport
import Testing
import VL2Base
import VL2Quant

/// A header is believed only where it agrees with itself and with the file.
@Suite struct SafetensorsHeaderTests {
  /// The error that reading a file gives.
  private func problem(_ file: [UInt8]) throws -> String {
    try withTemporaryFolder { folder in
      let path = folder + "/model.safetensors"
      try write(file, to: path)
      let error = try #require(thrown { _ = try SafetensorsHeader(of: try InputFile(path: path)) })
      let reportable = try #require(error as? any ReportableError)
      #expect(reportable.kind == .badData)
      let text = reportable.description
      #expect(text.hasPrefix(path + ": "))
      #expect(!text.contains("\n"))
      return text
    }
  }

  private func problem(header: String, bytes: Int) throws -> String {
    try problem(CheckpointCopy.shard(header: Array(header.utf8), [UInt8](repeating: 0, count: bytes)))
  }

  @Test func goodHeader() throws {
    try withTemporaryFolder { folder in
      let header = """
        {"b":{"dtype":"F32","shape":[2,3],"data_offsets":[4,28]},"__metadata__":{"format":"pt"},
         "a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},"empty":{"dtype":"I64","shape":[0],"data_offsets":[4,4]},
         "scalar":{"dtype":"NEW9","shape":[],"data_offsets":[28,30]}}
        """
      let path = folder + "/model.safetensors"
      try write(
        CheckpointCopy.shard(header: Array(header.utf8), [UInt8](repeating: 7, count: 30)), to: path)
      let tensors = try SafetensorsHeader(of: try InputFile(path: path)).tensors
      #expect(tensors.map(\.name) == ["a", "empty", "b", "scalar"])
      #expect(tensors.map(\.shape) == [[2], [0], [2, 3], []])
      let start = 8 + header.utf8.count
      #expect(
        tensors.map(\.range) == [
          start..<start + 4, start + 4..<start + 4, start + 4..<start + 28, start + 28..<start + 30,
        ])
    }
  }

  @Test(arguments: [
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "F32 [2] takes 8"),
    (#"{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}"#, 1, "hold 1 bytes"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "not a begin and an end"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, 4, "not a begin and an end"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4, "holds -4 where a natural number"),
    (#"{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, 4, "shape holds 1.5"),
    (#"{"a":{"dtype":"F32","shape":3,"data_offsets":[0,4]}}"#, 4, "shape is 3, not an array"),
    (#"{"a":{"dtype":7,"shape":[1],"data_offsets":[0,4]}}"#, 4, "dtype is not a string"),
    (#"{"a":{"shape":[1],"data_offsets":[0,4]}}"#, 4, "dtype is missing"),
    (#"{"a":{"dtype":"F32","data_offsets":[0,4]}}"#, 4, "shape is missing"),
    (#"{"a":{"dtype":"F32","shape":[1]}}"#, 4, "data_offsets is missing"),
    (#"{"a":4}"#, 4, "4 stands for an object"),
    (#"[1]"#, 4, "the header is an array"),
    (#"{"a":"#, 4, "not valid JSON"),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
      4, "comes twice"
    ),
    (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}"#, 4, "beyond any file"),
    (#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#, 4, "beyond any file"),
    (
      #"{"a":{"dtype":"U8","shape":[1],"data_offsets":[9223372036854775806,9223372036854775807]}}"#, 4,
      "beyond any file"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
      6, "\"b\" overlap those of \"a\""
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8,
      "4 bytes before \"a\" belong to no tensor"
    ),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 9, "5 bytes at the end belong to no tensor"),
  ])
  func lies(_ header: String, bytes: Int, part: String) throws {
    let text = try problem(header: header, bytes: bytes)
    #expect(text.contains(part), "\(text)")
  }

  @Test func truncatedFilesSayBothLengths() throws {
    let header = #"{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}"#
    let whole = 8 + header.utf8.count + 16
    let text = try problem(header: header, bytes: 9)
    #expect(text.contains("holds \(whole - 7) bytes where its header promises \(whole)"))
    #expect(try problem([]).contains("holds 0 bytes"))
    #expect(try problem([1, 2, 3]).contains("holds 3 bytes"))
    #expect(
      try problem([200, 0, 0, 0, 0, 0, 0, 0, 1]).contains("holds 9 bytes where its header promises 208"))
  }

  @Test func headerLengthIsCapped() throws {
    for length: [UInt8] in [[255, 255, 255, 255, 255, 255, 255, 255], [1, 225, 245, 5, 0, 0, 0, 0]] {
      #expect(try problem(length).contains("over the limit of 100000000"))
    }
  }
}
