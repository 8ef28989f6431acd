/// What kind of file its first bytes say it is: kinds that are read, and those that people give in their place.
/// The raw value names it, as in "this is a PDF file".
public enum FileKind: String, Sendable, CaseIterable {
  // Pictures that are read.
  case jpeg = "a JPEG picture"
  case png = "a PNG picture"
  case webp = "a WebP picture"
  // Other pictures.
  case gif = "a GIF file"
  case avif = "an AVIF file"
  case heic = "an HEIC file"
  case bmp = "a BMP file"
  case tiff = "a TIFF or camera raw file"
  case jpegXL = "a JPEG XL file"
  case jpeg2000 = "a JPEG 2000 file"
  case photoshop = "a Photoshop file"
  case svg = "an SVG or XML file"
  case pdf = "a PDF file"
  // Videos.
  case mp4 = "a video (MP4 or QuickTime)"
  case matroska = "a video (Matroska or WebM)"
  case avi = "a video (AVI)"
  case mpeg = "a video (MPEG)"
  case flashVideo = "a video (FLV)"
  // What servers send.
  case webPage = "a web page"
  case multipart = "a multipart stream, as cameras send"
  case response = "a server's response with its headers"
  // Models and their weights.
  case packedModel = "a packed model"
  case safetensors = "a safetensors file"
  case gguf = "a GGUF model"
  case pyTorch = "a PyTorch file (pickle)"
  case hdf5 = "an HDF5 file"
  // Others.
  case lfsPointer = "a Git LFS pointer in place of the file"
  case json = "a JSON text"
  case archive = "an archive"

  /// The first bytes that decide; a kind may be known from fewer.
  public static let bytesNeeded = 512

  /// nil for a kind that is not known.
  ///
  /// - Parameter firstBytes: the beginning of a file. No more than `bytesNeeded` are looked at.
  public init?(_ firstBytes: some Collection<UInt8>) {
    let head = FirstBytes(firstBytes.prefix(Self.bytesNeeded))
    // A safetensors file begins with a length, whose bytes may be those with which other kinds begin.
    let kind =
      head.isSafetensors
      ? .safetensors : Self.picture(head) ?? Self.video(head) ?? Self.model(head) ?? Self.text(head)
    guard let kind else { return nil }
    self = kind
  }

  /// The kind of the file at `path`; nil where it is not known, or is no file that can be read.
  package static func ofFile(_ path: String) -> FileKind? {
    guard let file = try? InputFile(path: path) else { return nil }
    return try? FileKind(file.bytes(0..<min(bytesNeeded, file.length)))
  }

  public var isVideo: Bool {
    switch self {
    case .mp4, .matroska, .avi, .mpeg, .flashVideo: true
    default: false
    }
  }

  /// What to do about a file of this kind in the place of any other; nil where that depends on the other.
  package var remedy: Hint? {
    switch self {
    case .lfsPointer: "fetch the file itself: 'git lfs pull' in its folder"
    case .webPage, .response: "a server sent it in place of the file: fetch that again"
    case .archive: "unpack it"
    default: nil
    }
  }

  // MARK: - By kinds

  private static func picture(_ head: FirstBytes) -> FileKind? {
    if head.hold([0xFF, 0xD8]) { return .jpeg }
    if head.hold([0x89] + Array("PNG".utf8)) { return .png }
    if head.hold("RIFF"), head.hold("WEBP", at: 8) { return .webp }
    if head.hold("GIF8") { return .gif }
    if head.hold("ftyp", at: 4) {
      switch head.text(8..<12) {
      case "avif", "avis": return .avif
      case "heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1": return .heic
      default: return .mp4
      }
    }
    if head.hold("BM"), head.hold([0, 0, 0, 0], at: 6) { return .bmp }
    if head.hold([0x49, 0x49, 0x2A, 0]) || head.hold([0x4D, 0x4D, 0, 0x2A]) { return .tiff }
    if head.hold([0xFF, 0x0A]) || head.hold([0, 0, 0, 12] + Array("JXL ".utf8)) { return .jpegXL }
    if head.hold([0, 0, 0, 12] + Array("jP  ".utf8)) || head.hold([0xFF, 0x4F, 0xFF, 0x51]) {
      return .jpeg2000
    }
    if head.hold("8BPS") { return .photoshop }
    if head.hold("%PDF") { return .pdf }
    return nil
  }

  private static func video(_ head: FirstBytes) -> FileKind? {
    // QuickTime files from before there was "ftyp".
    if ["moov", "mdat", "wide"].contains(where: { head.hold($0, at: 4) }) { return .mp4 }
    if head.hold([0x1A, 0x45, 0xDF, 0xA3]) { return .matroska }
    if head.hold("RIFF"), head.hold("AVI ", at: 8) { return .avi }
    // A program stream, a transport stream (packets of 188 bytes), or the bare stream of a camera (H.264).
    if head.hold([0, 0, 1, 0xBA]) || (head.hold([0x47]) && head.hold([0x47], at: 188)) { return .mpeg }
    if head.hold([0, 0, 0, 1, 0x67]) || head.hold([0, 0, 1, 0x67]) { return .mpeg }
    if head.hold([0x46, 0x4C, 0x56, 1]) { return .flashVideo }
    return nil
  }

  private static func model(_ head: FirstBytes) -> FileKind? {
    if head.hold([0x89] + Array("VL2Q".utf8)) { return .packedModel }
    if head.hold("GGUF") { return .gguf }
    if head.hold([0x89] + Array("HDF\r\n".utf8)) { return .hdf5 }
    if head.hold("version https://git-lfs.github.com/spec/") { return .lfsPointer }
    // PyTorch writes ZIP files that begin with an entry NAME/data.pkl, and wrote bare pickles.
    if (2...5).contains(where: { head.hold([0x80, $0]) }) { return .pyTorch }
    if head.hold([0x50, 0x4B, 3, 4]) {
      return head.text(30..<158).contains("data.pkl") ? .pyTorch : .archive
    }
    let archives: [[UInt8]] = [
      [0x1F, 0x8B], [0x28, 0xB5, 0x2F, 0xFD], [0xFD] + Array("7zXZ".utf8), [0x37, 0x7A, 0xBC, 0xAF],
    ]
    return archives.contains { head.hold($0) } || head.hold("ustar", at: 257) ? .archive : nil
  }

  /// What is written as text may begin with a byte-order mark, white space, and letters of any case.
  private static func text(_ head: FirstBytes) -> FileKind? {
    let start = head.hold(ByteOrderMark.utf8) ? ByteOrderMark.utf8.count : 0
    let text = head.text(start..<bytesNeeded).trimmed().lowercased()
    if text.hasPrefix("<!doctype html") || text.hasPrefix("<html") || text.hasPrefix("<head") {
      return .webPage
    }
    if text.hasPrefix("<svg") { return .svg }
    if text.hasPrefix("<?xml") { return text.contains("<html") ? .webPage : .svg }
    if text.hasPrefix("http/1.") { return .response }
    if text.hasPrefix("--"), text.contains("\ncontent-") || text.contains("\r\ncontent-") {
      return .multipart
    }
    guard text.first == "{" || text.first == "[" else { return nil }
    let next = text.dropFirst().first { !$0.isWhitespace }
    return next.map { "\"{[]}-0123456789".contains($0) } == true ? .json : nil
  }
}

/// The beginning of a file.
private struct FirstBytes {
  let bytes: [UInt8]

  init(_ bytes: some Sequence<UInt8>) { self.bytes = Array(bytes) }

  /// Whether these bytes are at `offset`.
  func hold(_ wanted: [UInt8], at offset: Int = 0) -> Bool { bytes.dropFirst(offset).starts(with: wanted) }

  func hold(_ text: String, at offset: Int = 0) -> Bool { hold(Array(text.utf8), at: offset) }

  /// A length below the 100 MB of the format's own limit, then JSON.
  var isSafetensors: Bool { hold([0, 0, 0, 0], at: 4) && hold("{", at: 8) && bytes[3] < 6 }

  /// Bytes of the range, as far as there are any.
  func text(_ range: Range<Int>) -> String {
    String(decoding: bytes.dropFirst(range.lowerBound).prefix(range.count), as: UTF8.self)
  }
}
