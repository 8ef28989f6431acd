import Glibc
import VL2Base

/// A plot of a sweep over budgets: tokens a second over memory.
package struct MemoryPlot {
  private struct Point {
    var memory, speed: Double
  }

  private struct Line {
    var name, color: String
    var dashes = false
    var points: [Point]
  }

  private let lines: [Line]
  private let title: String
  private let largest: Point

  private static let (width, height) = (720.0, 420.0)
  private static let (left, right, top, bottom) = (64.0, 24.0, 48.0, 56.0)

  package init(_ sweep: MemorySweep) {
    let rows = sweep.rows.filter { $0.budgetBytes != nil }.sorted {
      ($0.budgetBytes ?? 0) < ($1.budgetBytes ?? 0)
    }
    func points(_ speed: (MemorySweep.Row) -> Double?) -> [Point] {
      rows.compactMap { row in
        speed(row).map { Point(memory: Double(row.budgetBytes ?? 0) / 1_048_576, speed: $0) }
      }
    }
    lines = [
      Line(name: "routed by the model", color: "#1f6f8b", points: points { $0.routed.tokensPerSecond }),
      Line(
        name: "what its missed bytes allow", color: "#1f6f8b", dashes: true,
        points: points { $0.routed.allowedTokensPerSecond }),
      Line(name: "45 % of picks repeat", color: "#c8553d", points: points { $0.repeating.tokensPerSecond }),
      Line(
        name: "what its missed bytes allow", color: "#c8553d", dashes: true,
        points: points { $0.repeating.allowedTokensPerSecond }),
    ]
    let all = lines.flatMap(\.points)
    largest = Point(
      memory: Self.ceiling(all.map(\.memory).max() ?? 1), speed: Self.ceiling(all.map(\.speed).max() ?? 1))
    title =
      "Writing under a memory budget: \(sweep.threads) threads, reads of "
      + "\(NumberText.fixed(sweep.readBytesPerSecond / 1e6, 0)) MB/s"
  }

  /// Rounds up to the next of 1, 2, 3, ... 10 times a power of ten.
  private static func ceiling(_ value: Double) -> Double {
    let unit = pow(10, (max(value, 1e-9)).logarithm10.rounded(.down))
    return (value / unit).rounded(.up) * unit
  }

  private func x(_ memory: Double) -> Double {
    Self.left + memory / largest.memory * (Self.width - Self.left - Self.right)
  }

  private func y(_ speed: Double) -> Double {
    Self.height - Self.bottom - speed / largest.speed * (Self.height - Self.top - Self.bottom)
  }

  /// The plot as SVG.
  package var svg: String {
    func number(_ value: Double) -> String { NumberText.fixed(value, 1) }
    func text(_ x: Double, _ y: Double, _ anchor: String, _ words: String) -> String {
      "<text x=\"\(number(x))\" y=\"\(number(y))\" text-anchor=\"\(anchor)\">\(words)</text>\n"
    }
    var svg = """
      <svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 \(Int(Self.width)) \(Int(Self.height))" \
      font-family="sans-serif" font-size="12">
      <rect width="100%" height="100%" fill="white"/>

      """
    svg += text(Self.left, 24, "start", title)
    for tick in 0...5 {
      let share = Double(tick) / 5
      let (memory, speed) = (share * largest.memory, share * largest.speed)
      svg += """
        <path d="M\(number(Self.left)) \(number(y(speed)))H\(number(Self.width - Self.right))" stroke="#ddd"/>

        """
      svg += text(Self.left - 8, y(speed) + 4, "end", NumberText.general(speed))
      svg += text(x(memory), Self.height - Self.bottom + 18, "middle", NumberText.general(memory))
    }
    svg += text((Self.left + Self.width) / 2, Self.height - 12, "middle", "MiB for everything")
    svg += text(8, Self.top - 8, "start", "tokens/s")
    for (number, line) in lines.enumerated() where !line.points.isEmpty {
      svg += drawing(of: line)
      let place = Self.top + 16 * Double(number)
      let start = Self.left + 16
      svg += """
        <path d="M\(Int(start)) \(Int(place))h28" stroke="\(line.color)" stroke-width="2"\(dashes(line))/>

        """
      svg += text(start + 36, place + 4, "start", line.name)
    }
    return svg + "</svg>\n"
  }

  private func dashes(_ line: Line) -> String { line.dashes ? " stroke-dasharray=\"5 4\"" : "" }

  private func drawing(of line: Line) -> String {
    let places = line.points.map {
      "\(NumberText.fixed(x($0.memory), 1)) \(NumberText.fixed(y($0.speed), 1))"
    }
    var svg =
      "<path d=\"M\(places.joined(separator: "L"))\" fill=\"none\" stroke=\"\(line.color)\" stroke-width=\"2\""
      + "\(dashes(line))/>\n"
    if line.dashes { return svg }
    for point in line.points {
      let (across, down) = (NumberText.fixed(x(point.memory), 1), NumberText.fixed(y(point.speed), 1))
      svg += "<circle cx=\"\(across)\" cy=\"\(down)\" r=\"3\" fill=\"\(line.color)\"/>\n"
    }
    return svg
  }
}

extension Double {
  fileprivate var logarithm10: Double { log10(self) }
}
