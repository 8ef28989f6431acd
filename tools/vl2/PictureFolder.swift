import FoundationEssentials
import VL2Base
import VL2Console
import VL2Run

/// The pictures of a folder, without those of folders in it.
enum PictureFolder {
  /// Names of the pictures, in the order of their bytes. Names that begin with a dot are left out: what copies and networks
  /// leave behind.
  ///
  /// - Throws: `Failure` where there are none.
  static func names(in folder: String) throws -> [String] {
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: folder) else {
      throw Failure(.noInput, "\(folder): no such folder, or not readable", "give a folder of pictures")
    }
    let pictures = names.filter { name in
      name.first != "." && Picture.fileEndings.contains { name.lowercased().hasSuffix($0) }
    }.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    guard !pictures.isEmpty else {
      let endings = Picture.fileEndings.joined(separator: ", ")
      throw Failure(.noInput, "\(folder): holds no pictures", "give a folder with some (\(endings))")
    }
    return pictures
  }

  /// Paths, with those of its pictures in place of each folder's.
  ///
  /// - Throws: `Failure` for a folder without pictures.
  static func expanding(_ paths: [String]) throws -> [String] {
    try paths.flatMap { path in
      guard FileStatus(path)?.isFolder == true else { return [path] }
      let begin = path.last == "/" ? path : path + "/"
      return try names(in: path).map { begin + $0 }
    }
  }
}
