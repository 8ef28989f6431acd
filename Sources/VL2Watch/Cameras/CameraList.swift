import VL2Base

/// What cameras there are, and what they give, for people.
package enum CameraList {
  /// A block of lines for each.
  ///
  /// - Throws: `FileError` where there is none.
  package static func text(_ calls: any DeviceCalls = SystemCalls()) throws(FileError) -> String {
    let nodes = CameraNodes(calls)
    let paths = nodes.paths()
    var text = ""
    for path in paths {
      do {
        text += try lines(CameraDevice(path, calls), nodes)
      } catch {
        // Nodes beside the one that gives pictures are of no use to anybody here.
        if error.kind != .usage { text += "\(error.line())\n" }
      }
    }
    guard text.isEmpty else { return text }
    throw FileError(
      .unavailable, "/dev/video*",
      paths.isEmpty ? "there is no camera" : "no camera among them gives pictures",
      "plug one in, load its driver, or look through a program, as command:LINE")
  }

  private static func lines(_ device: CameraDevice, _ nodes: CameraNodes) throws(FileError) -> String {
    var lines = ["\(device.path)  \(device.card)"]
    if let link = nodes.link(to: nodes.node(device.path)) { lines.append("  \(UntrustedText.line(link))") }
    lines.append("  driver \(device.driver), at \(device.bus)")
    let codes = try device.formats()
    for code in codes where CameraFormat(code: code) != nil {
      let sizes = try device.sizes(code)
      var line = "  \(CameraFormat.name(code)): "
      if case .listed(let list) = sizes {
        line += list.map { size in
          let rates = device.rates(code, size).map {
            NumberText.general(($0.perSecond * 100).rounded() / 100)
          }
          return size.text + (rates.isEmpty ? "" : " at \(rates.joined(separator: ", "))")
        }.joined(separator: "; ")
      } else {
        line += sizes.text
      }
      lines.append(line)
    }
    let others = codes.filter { CameraFormat(code: $0) == nil }.map(CameraFormat.name)
    if !others.isEmpty { lines.append("  not read here: \(others.joined(separator: ", "))") }
    return lines.joined(separator: "\n") + "\n"
  }
}
