import Glibc
import VL2Base

/// What goes wrong with cameras, as people can act on it.
enum CameraError {
  /// It could not be opened.
  static func opening(_ path: String, _ number: Int32) -> FileError {
    switch number {
    case ENOENT, ENOTDIR, ENODEV, ENXIO:
      return FileError(.noInput, path, "there is no such camera", "plug it in; \(list)")
    case EACCES, EPERM:
      return FileError(
        .noInput, path, "permission denied",
        "cameras are for group video: sudo usermod -aG video $USER, and log in again")
    case EBUSY: return busy(path)
    default:
      let reason = SystemReason.reading(number)
      return FileError(reason.kind, path, reason.problem, reason.hint)
    }
  }

  /// A call that it was to be set up with failed.
  static func settingUp(_ path: String, _ call: String, _ number: Int32) -> FileError {
    switch number {
    case EBUSY: busy(path)
    case ENOSPC:
      FileError(
        .unavailable, path, "the USB bus has no room for its pictures",
        "take a smaller size, a lower rate or mjpeg, or plug it in elsewhere")
    case EPIPE, ENOLINK:
      FileError(
        .unavailable, path, "it is not linked to a sensor", "take the board's own program, as command:LINE")
    case ENOMEM: FileError(.tooLittleMemory, path, "no memory for its pictures", "close other programs")
    default: failing(path, call, number)
    }
  }

  /// A call failed that should not.
  static func failing(_ path: String, _ call: String, _ number: Int32) -> FileError {
    lost(path, "\(call): \(String(cString: strerror(number)).lowercased())")
  }

  static func lost(_ path: String, _ reason: String) -> FileError {
    FileError(
      .unavailable, path, "the camera does not go on (\(reason))", "check its cable, or plug it in again")
  }

  static func busy(_ path: String) -> FileError {
    FileError(.busy, path, "another program is using it", "end that one; fuser -v \(path) shows it")
  }

  static func noCamera(_ path: String) -> FileError { FileError(.usage, path, "it is no camera", "\(list)") }

  static func notCapturing(_ path: String) -> FileError {
    FileError(
      .usage, path, "it gives no pictures; cameras have such nodes beside the one that does", "\(list)")
  }

  /// Its driver gave what it must not.
  static func impossible(_ path: String, _ what: String) -> FileError {
    FileError(
      .unavailable, path, "its driver contradicts itself (\(what))", "take another size or format")
  }

  private static let list = "'vl2 watch --list' shows the cameras that are there"
}
