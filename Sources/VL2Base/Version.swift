/// The version of this package, which its programs print and packed files name as their writer's.
public let packageVersion = "0.1.0"
