/// The version of this program, also kept in the packed files that it writes.
let toolVersion = "0.1.0"
