import VL2Base

/// Why a picture cannot be read or written. The problem names the picture.
public enum PictureError: ReportableError, Equatable {
  /// No such file, not a file, or not readable; `reason` says which.
  case unavailable(name: String, reason: String)
  /// Reading the file failed half-way.
  case readFailed(name: String, reason: String)
  /// The picture's file is empty.
  case empty(name: String)
  /// The file is larger than any picture within the limit needs to be.
  case fileTooLarge(name: String, limit: Int)
  /// Another kind of file; nil for one that is not known.
  case unsupportedFormat(name: String, format: FileKind?)
  /// A picture of a format that is read, coded in a way that is not, which `coding` names.
  case unsupportedCoding(name: String, coding: String)
  /// An animation, which is many pictures.
  case animated(name: String, format: String)
  /// The library that reads this format, from a Debian package, is not installed.
  case libraryMissing(name: String, format: String, library: String, package: String)
  /// More pixels than `limit`.
  case tooManyPixels(name: String, width: Int, height: Int, limit: Int)
  /// A picture file that ends too early.
  case cutShort(name: String, format: String)
  /// A picture file that cannot be decoded; `reason` says why.
  case damaged(name: String, format: String, reason: String)
  /// There is not enough memory for the decoder or the pixels.
  case outOfMemory(name: String)

  public var kind: ErrorKind {
    switch self {
    case .unavailable: .noInput
    case .readFailed: .inputOutput
    case .outOfMemory: .tooLittleMemory
    case .libraryMissing: .unavailable
    case .empty, .fileTooLarge, .unsupportedFormat, .unsupportedCoding, .animated, .tooManyPixels, .cutShort,
      .damaged:
      .badData
    }
  }

  public var problem: String {
    switch self {
    case .unavailable(let name, let reason): "\(name): \(reason)"
    case .readFailed(let name, let reason): "\(name): reading the picture failed: \(reason)"
    case .empty(let name): "\(name): the file is empty"
    case .fileTooLarge(let name, let limit): "\(name): the file is over \(limit >> 20) MiB"
    case .unsupportedFormat(let name, let format?): "\(name): this is \(format.rawValue)"
    case .unsupportedFormat(let name, nil): "\(name): not a picture that vl2 can read"
    case .unsupportedCoding(let name, let coding): "\(name): this is a \(coding) picture"
    case .animated(let name, let format): "\(name): this is an animated \(format) file"
    case .libraryMissing(let name, let format, let library, _):
      "\(name): reading \(format) files needs \(library), which is not installed"
    case .tooManyPixels(let name, let width, let height, let limit):
      "\(name): \(width) x \(height) pixels are over the limit of "
        + (limit % 1_000_000 == 0 ? "\(limit / 1_000_000) megapixels" : "\(limit)")
    case .cutShort(let name, let format): "\(name): the \(format) file is cut short"
    case .damaged(let name, let format, let reason):
      "\(name): the \(format) file is damaged (\(reason))"
    case .outOfMemory(let name): "\(name): not enough memory for this picture"
    }
  }

  public var hint: Hint {
    switch self {
    case .unavailable: "give the path of a JPEG, PNG or WebP picture"
    case .readFailed: "copy or save it again"
    case .damaged: "copy, save or take it again"
    case .empty: "give a JPEG, PNG or WebP picture"
    case .fileTooLarge: "save the picture smaller"
    case .unsupportedFormat(_, let format): wayOut(of: format)
    case .unsupportedCoding:
      "convert it to PNG, for example with 'ffmpeg -i FILE picture.png' (Debian package ffmpeg)"
    case .animated: "save the picture of it that counts as JPEG or PNG"
    case .libraryMissing(_, _, _, let package):
      "install the Debian package \(package), or convert the picture to JPEG or PNG"
    case .tooManyPixels: "make the picture smaller"
    case .cutShort: "copy or download it again"
    case .outOfMemory: "make it smaller"
    }
  }

  /// How to come from another kind of file to a picture, with a Debian program where not every image viewer does it.
  private func wayOut(of kind: FileKind?) -> Hint {
    switch kind {
    case nil, .gif, .bmp, .tiff, .jpegXL, .jpeg2000, .photoshop, .svg: "convert it to JPEG or PNG"
    case .heic, .avif:
      "convert it to JPEG or PNG, for example with 'heif-convert FILE picture.png' (Debian package libheif-examples)"
    case .pdf:
      "read it with 'vl2 read FILE', or make pictures of its pages, for example with 'pdftoppm -png FILE page' (Debian package poppler-utils)"
    case .mp4, .matroska, .avi, .mpeg, .flashVideo, .multipart:
      "take one picture of it, for example with 'ffmpeg -i FILE -frames:v 1 picture.png' (Debian package ffmpeg)"
    case .webPage: "open its address in a browser: it may want a password, or show the picture elsewhere"
    case .json: "read it: a server may say there why it sends no picture"
    case .response: "keep only what follows the headers (curl without -i)"
    case let kind?: kind.remedy ?? "give a JPEG, PNG or WebP picture"
    }
  }
}
