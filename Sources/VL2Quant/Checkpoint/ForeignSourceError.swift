import VL2Base

/// Something else than a checkpoint in published format. The problem says what it is, the hint what to do.
public enum ForeignSourceError: ReportableError, Equatable {
  /// There is nothing at this path.
  case missing(path: String)
  /// A file stands where the folder of a checkpoint was expected; nil for a kind that is not known.
  case file(path: String, kind: FileKind?)
  /// A file of the checkpoint is of another kind than its name says.
  case otherKind(path: String, kind: FileKind)
  /// The root of a Hugging Face cache that does not hold exactly one snapshot.
  case cache(path: String, snapshots: [String])
  /// The weights are in another format; `file` is one of their files.
  case otherFormat(folder: String, file: String, kind: FileKind)
  /// The weights are quantised already, as `method` does it; `place` says so: a key of config.json, a tensor.
  case quantized(path: String, place: String, method: String)
  /// Before the names of tensors stands something that is not part of them.
  case prefixedNames(folder: String, prefix: String, example: String)
  /// The tensors have names of another program.
  case otherNames(folder: String, example: String)
  /// No tensor of a part of the model is there.
  case missingPart(folder: String, part: String, prefix: String)

  public var kind: ErrorKind {
    switch self {
    case .missing: .noInput
    default: .badData
    }
  }

  public var problem: String {
    switch self {
    case .missing(let path): "\(path): no such folder"
    case .file(let path, let kind?): "\(path): this is \(kind.rawValue), not the folder of a checkpoint"
    case .file(let path, nil): "\(path): a file, not the folder of a checkpoint"
    case .otherKind(let path, let kind): "\(path): this is \(kind.rawValue)"
    case .cache(let path, let snapshots) where snapshots.isEmpty:
      "\(path): a folder of the Hugging Face cache without a snapshot in it"
    case .cache(let path, let snapshots):
      "\(path): a folder of the Hugging Face cache with \(snapshots.count) snapshots: "
        + snapshots.prefix(8).joined(separator: ", ") + (snapshots.count > 8 ? ", …" : "")
    case .otherFormat(let folder, let file, let kind):
      "\(folder): holds \(kind.rawValue) (\(file)) and no safetensors"
    case .quantized(let path, let place, let method):
      "\(path): the weights are quantised already (\(method)), as \(place) shows"
    case .prefixedNames(let folder, let prefix, let example):
      "\(folder): the names of its tensors begin with \(UntrustedText.quoted(prefix)), as in "
        + UntrustedText.quoted(prefix + example)
    case .otherNames(let folder, let example):
      "\(folder): its tensors do not have the published names; one is \(UntrustedText.quoted(example))"
    case .missingPart(let folder, let part, let prefix):
      "\(folder): holds no tensor of the \(part) (\(prefix)…)"
    }
  }

  public var hint: Hint {
    switch self {
    case .missing(let path) where Self.isHubName(path):
      """
      if that is a model's name at Hugging Face, fetch it ('hf download \(path) --local-dir FOLDER') and give FOLDER
      """
    case .missing: "check the path"
    case .file(let path, let kind): Self.instead(of: kind, path)
    case .otherKind(_, let kind): kind.remedy ?? Self.conversion(of: kind)
    case .cache(_, let snapshots) where snapshots.isEmpty: "fetch the model again"
    case .cache(let path, _): "give one of them: \(path)/snapshots/NAME"
    case .otherFormat(_, _, let kind): Self.conversion(of: kind)
    case .quantized(_, let place, _):
      place.hasPrefix("quantization")
        ? "take the checkpoint that it was made from; where the weights are BF16 after all, delete \(place)"
        : "take the checkpoint that it was made from, in BF16, F16 or F32"
    case .prefixedNames(_, let prefix, _):
      "save it without, in Python: {name.removeprefix('\(prefix)'): tensor for name, tensor in tensors.items()}"
    case .otherNames:
      "take the publisher's checkpoint, or save with the publisher's classes: language.…, vision.…, projector.…"
    case .missingPart: "save or fetch the whole model, with all its parts"
    }
  }

  /// Whether a path looks like `organisation/model`.
  private static func isHubName(_ path: String) -> Bool {
    let parts = path.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 2
      && parts.allSatisfy { part in
        part.first.map { $0 != "." && $0 != "~" } == true
          && part.unicodeScalars.allSatisfy {
            $0.properties.isAlphabetic || "0123456789-_.".unicodeScalars.contains($0)
          }
      }
  }

  private static func instead(of kind: FileKind?, _ path: String) -> Hint {
    switch kind {
    case .packedModel: "it can be used as it is"
    case .safetensors, .json, .pyTorch: "give the folder that it lies in"
    case .archive: "unpack it and give the folder"
    case .gguf: conversion(of: .gguf)
    case .lfsPointer: "fetch what it stands for with 'git lfs pull', and give the folder"
    default: "give a folder with config.json, processor_config.json, tokenizer.json and *.safetensors"
    }
  }

  private static func conversion(of kind: FileKind) -> Hint {
    kind == .pyTorch
      ? "save it as safetensors, in Python: model.save_pretrained('FOLDER', safe_serialization=True)"
      : "take the publisher's checkpoint, whose weights are *.safetensors"
  }

  /// Refuses a file whose first bytes say that it is of another kind than its name says.
  ///
  /// - Parameter expected: its kind; nil for a text that may look like anything but a Git LFS pointer.
  static func refuse(_ firstBytes: some Collection<UInt8>, of path: String, expected: FileKind?) throws {
    guard let kind = FileKind(firstBytes), kind != expected else { return }
    if expected != nil || kind == .lfsPointer { throw otherKind(path: path, kind: kind) }
  }
}
