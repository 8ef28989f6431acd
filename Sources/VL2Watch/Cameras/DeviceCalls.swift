import CV4L2
import Glibc
import VL2Base

/// What is asked of the system about cameras. Tests have another one, which answers as drivers do.
package protocol DeviceCalls {
  /// Opens a device without waiting for it; a descriptor, or an error number as a negative one.
  func open(_ path: String) -> Int32
  func close(_ descriptor: Int32)
  /// ioctl(2): 0, or an error number.
  func control(_ descriptor: Int32, _ request: UInt, _ argument: UnsafeMutableRawPointer) -> Int32
  /// Maps a part of a device's memory, to be read; nil and an error number where that is refused.
  func map(_ descriptor: Int32, bytes: Int, offset: Int) -> (memory: UnsafeMutableRawPointer?, number: Int32)
  func unmap(_ memory: UnsafeMutableRawPointer, bytes: Int)
  /// poll(2) for something to read: what it found, 0 where the time was over, or an error number as a negative one.
  func poll(_ descriptor: Int32, milliseconds: Int32) -> Int32
  /// The names in a folder, in no order; none where there is no such folder.
  func names(in folder: String) -> [String]
  /// What a symbolic link says; nil where the path is none.
  func link(at path: String) -> String?
}

/// Those of the system.
package struct SystemCalls: DeviceCalls {
  package init() {}

  package func open(_ path: String) -> Int32 {
    while true {
      let descriptor = Glibc.open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC)
      if descriptor >= 0 { return descriptor }
      if errno != EINTR { return -errno }
    }
  }

  package func close(_ descriptor: Int32) { _ = Glibc.close(descriptor) }

  package func control(_ descriptor: Int32, _ request: UInt, _ argument: UnsafeMutableRawPointer) -> Int32 {
    vl2_ioctl(descriptor, request, argument)
  }

  package func map(
    _ descriptor: Int32, bytes: Int, offset: Int
  ) -> (memory: UnsafeMutableRawPointer?, number: Int32) {
    let memory = mmap(nil, bytes, PROT_READ, MAP_SHARED, descriptor, offset)
    return memory == MAP_FAILED ? (nil, errno) : (memory, 0)
  }

  package func unmap(_ memory: UnsafeMutableRawPointer, bytes: Int) { munmap(memory, bytes) }

  package func poll(_ descriptor: Int32, milliseconds: Int32) -> Int32 {
    var place = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    let count = Glibc.poll(&place, 1, milliseconds)
    if count < 0 { return errno == EINTR ? 0 : -errno }
    return count == 0 ? 0 : Int32(place.revents)
  }

  package func names(in folder: String) -> [String] { (try? FolderNames.read(folder)) ?? [] }

  package func link(at path: String) -> String? {
    var text = [CChar](repeating: 0, count: 4096)
    let count = readlink(path, &text, text.count)
    return count > 0 ? String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : nil
  }
}
