import SIMDKernels

/// A `dtype` of the safetensors format.
struct ScalarType: Equatable {
  /// As the file spells it.
  let name: String

  /// Bits of one value; nil for a type that this program does not know: its size cannot be checked.
  var bits: Int? {
    switch name {
    case "F4": 4
    case "F6_E2M3", "F6_E3M2": 6
    case "BOOL", "U8", "I8", "F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ": 8
    case "U16", "I16", "F16", "BF16": 16
    case "U32", "I32", "F32": 32
    case "U64", "I64", "F64", "C64": 64
    default: nil
    }
  }

  /// Bytes of one weight; nil if weights of this type are not read.
  var weightBytes: Int? {
    switch name {
    case "BF16", "F16": 2
    case "F32": 4
    default: nil
    }
  }

  /// Turns stored weights into float32, exactly.
  ///
  /// - Parameters:
  ///   - raw: `weightBytes` bytes for each of `out`, little-endian, aligned as for UInt32.
  func widen(_ raw: UnsafeRawBufferPointer, into out: UnsafeMutableBufferPointer<Float>) {
    guard let source = raw.baseAddress, let target = out.baseAddress else { return }
    switch name {
    case "BF16":
      source.withMemoryRebound(to: UInt16.self, capacity: out.count) { vl2_widen_bf16($0, out.count, target) }
    case "F16":
      source.withMemoryRebound(to: UInt16.self, capacity: out.count) { vl2_widen_f16($0, out.count, target) }
    default:
      UnsafeMutableRawPointer(target).copyMemory(from: source, byteCount: out.count * 4)
    }
  }
}
