/// Draws a fraction in a table.
enum ShareBar {
  /// A bar for `share` (0...1) of a full width of `width` characters, drawn in eighths of a character.
  static func text(_ share: Double, width: Int) -> String {
    let eighths = Int((min(1, max(0, share)) * Double(8 * width)).rounded())
    let parts = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"]
    return String(repeating: "█", count: eighths / 8) + parts[eighths % 8]
  }
}
