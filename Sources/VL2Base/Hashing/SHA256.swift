import CCrypto

/// SHA-256 of bytes that come in pieces.
package final class SHA256 {
  private let context: OpaquePointer

  package init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      preconditionFailure("libcrypto has no SHA-256")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  package func append(_ bytes: UnsafeRawBufferPointer) {
    let done = EVP_DigestUpdate(context, bytes.baseAddress, bytes.count)
    precondition(done == 1, "libcrypto has no SHA-256")
  }

  /// The digest of what was appended so far; more can be appended.
  package func soFar() -> String {
    let copy = SHA256()
    let done = EVP_MD_CTX_copy_ex(copy.context, context)
    precondition(done == 1, "libcrypto has no SHA-256")
    return copy.finish()
  }

  /// The digest in lower-case hexadecimal digits. Nothing can be appended afterwards.
  package func finish() -> String {
    var digest = [UInt8](repeating: 0, count: Int(EVP_MAX_MD_SIZE))
    var length: UInt32 = 0
    let done = EVP_DigestFinal_ex(context, &digest, &length)
    precondition(done == 1 && length == 32, "libcrypto has no SHA-256")
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: digest.prefix(32).flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }
}

/// SHA-256, lower-case hexadecimal.
package func sha256Hexadecimal(_ bytes: UnsafeRawBufferPointer) -> String {
  let hash = SHA256()
  hash.append(bytes)
  return hash.finish()
}
