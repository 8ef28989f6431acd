import Foundation
import TestSupport

/// Both ends of a terminal that a test types on.
final class PseudoTerminal {
  /// The program's end.
  let program: FileHandle
  private let typing: Int32
  /// All that was shown so far.
  private(set) var shown = ""

  struct Unavailable: Error {}

  init() throws {
    typing = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)
    // TIOCSPTLCK and TIOCGPTN of the kernel's asm-generic/ioctls.h, which Swift's C library module does not name.
    var unlocked: Int32 = 0
    var number: UInt32 = 0
    guard typing >= 0, ioctl(typing, 0x4004_5431, &unlocked) == 0, ioctl(typing, 0x8004_5430, &number) == 0
    else { throw Unavailable() }
    let descriptor = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
    guard descriptor >= 0 else { throw Unavailable() }
    program = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  deinit { close(typing) }

  /// How the terminal treats what is typed: its modes, and the characters that mean something to it.
  var settings: [UInt64] {
    var now = termios()
    tcgetattr(program.fileDescriptor, &now)
    let characters = withUnsafeBytes(of: now.c_cc) { $0.map(UInt64.init) }
    return [now.c_iflag, now.c_oflag, now.c_cflag, now.c_lflag].map(UInt64.init) + characters
  }

  func type(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(typing, bytes, bytes.count)
  }

  /// Reads on until `isReached` says so; false where that takes too long.
  func wait(_ isReached: () -> Bool) -> Bool {
    let end = ContinuousClock.now + TestPatience.limit
    var piece = [UInt8](repeating: 0, count: 4096)
    while !isReached() {
      guard ContinuousClock.now < end else { return false }
      let count = read(typing, &piece, piece.count)
      if count > 0 {
        shown += String(decoding: piece[..<count], as: UTF8.self)
      } else {
        Thread.sleep(forTimeInterval: 0.005)
      }
    }
    return true
  }
}
