import FoundationEssentials
import Glibc
import VL2Base

/// What the system says of this process. Source: proc(5).
struct ProcessFigures: Sendable {
  var cpuSeconds = 0.0
  /// Seconds since 1970.
  var startTime: Double?
  var virtualBytes: Int?
  var anonymousBytes: Int?
  var fileBytes: Int?
  var residentBytes: Int?
  var threads: Int?
  var descriptors: Int?
  var mostDescriptors: Int?

  /// Reads the figures as they are now. What the system does not say is nil.
  init() {
    var time = timespec()
    if clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0 {
      cpuSeconds = Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
    }
    let status = Self.fields(of: "/proc/self/status")
    virtualBytes = status["VmSize"].map { $0 << 10 }
    residentBytes = status["VmRSS"].map { $0 << 10 }
    anonymousBytes = status["RssAnon"].map { $0 << 10 }
    // Shared memory is what neither a file nor the process alone has; there is hardly any.
    fileBytes = status["RssFile"].map { ($0 + (status["RssShmem"] ?? 0)) << 10 }
    threads = status["Threads"]
    var limit = rlimit()
    if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
      mostDescriptors = Int(clamping: limit.rlim_cur)
    }
    descriptors = Self.countDescriptors(most: mostDescriptors)
    startTime = Self.started
  }

  /// It never changes.
  private static let started: Double? = {
    // The program's name, in parentheses, may hold blanks. The 22nd field is the start, in ticks since the machine's.
    guard let text = try? String(contentsOfFile: "/proc/self/stat", encoding: .utf8),
      let name = text.lastIndex(of: ")"),
      let machine = fields(of: "/proc/stat")["btime"]
    else { return nil }
    let words = text[name...].split(separator: " ")
    let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
    guard words.count > 20, let start = Double(words[20]), ticks > 0 else { return nil }
    return Double(machine) + start / ticks
  }()

  /// The first number of each line, by the word before it.
  private static func fields(of path: String) -> [String: Int] {
    let text = (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
    var fields: [String: Int] = [:]
    for line in text.split(separator: "\n") {
      let words = line.split(maxSplits: 2, whereSeparator: { $0 == " " || $0 == "\t" || $0 == ":" })
      if words.count >= 2, let number = Int(words[1]) { fields[String(words[0])] = number }
    }
    return fields
  }

  /// - Parameter most: that may be open.
  private static func countDescriptors(most: Int?) -> Int? {
    // Where all are taken, there is none for the folder.
    guard let folder = opendir("/proc/self/fd") else { return errno == EMFILE ? most : nil }
    defer { closedir(folder) }
    // Without the folder itself, and its entries "." and "..".
    var count = -3
    while readdir(folder) != nil { count += 1 }
    return max(0, count)
  }

  func write(to text: inout MetricsText) {
    text.add(
      "process_cpu_seconds_total", .counter, "Seconds of user and system time that the process took.",
      cpuSeconds)
    text.add(
      "process_start_time_seconds", .gauge, "When the process started, in seconds since 1970.", startTime)
    text.add("process_resident_memory_bytes", .gauge, "Memory that is resident, in bytes.", residentBytes)
    text.add("process_virtual_memory_bytes", .gauge, "Addresses that are in use, in bytes.", virtualBytes)
    text.add("process_open_fds", .gauge, "Open descriptors.", descriptors)
    text.add("process_max_fds", .gauge, "The most descriptors that may be open.", mostDescriptors)
    text.add("process_threads", .gauge, "Threads.", threads)
    text.add(
      "vl2_memory_resident_bytes", .gauge,
      "Resident memory by what it holds: anonymous is the process's own, file the mapped model above all.",
      [("anonymous", anonymousBytes), ("file", fileBytes)].compactMap { kind, bytes in
        bytes.map { ([("kind", kind)], Double($0)) }
      })
  }
}
