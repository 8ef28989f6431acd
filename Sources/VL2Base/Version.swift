/// The version of this package. Its programs print it, and packed files name it as their writer's version.
public let packageVersion = "0.1.0"
