/// Every key in a JSON value, at any depth.
func jsonKeys(_ value: Any) -> [String] {
  switch value {
  case let object as [String: Any]: object.keys + object.values.flatMap { jsonKeys($0) }
  case let list as [Any]: list.flatMap { jsonKeys($0) }
  default: []
  }
}

/// Whether a key is written as all of the programs' are.
func isSnakeCase(_ key: String) -> Bool {
  key.first?.isLowercase == true && key.last != "_"
    && key.utf8.allSatisfy { "abcdefghijklmnopqrstuvwxyz0123456789_".utf8.contains($0) }
}
