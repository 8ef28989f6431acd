import CYAML
import VL2Base

/// A value in a YAML file, with its line. Every scalar is text, so that `choices: [yes, no]` are the words.
struct ConfigurationNode: Sendable {
  enum Value: Sendable {
    case text(String)
    case list([ConfigurationNode])
    case map([Member])
  }

  struct Member: Sendable {
    var key: String
    var line: Int
    var value: ConfigurationNode
  }

  var value: Value
  /// Counted from 1.
  var line: Int

  /// Reads a YAML text. What a short text can make large or ambiguous is refused: aliases, anchors, tags, several
  /// documents, keys that are given twice.
  ///
  /// - Parameter path: what errors call it.
  /// - Throws: `FileError` of kind `badData` with the line.
  static func read(_ text: [UInt8], path: String) throws(FileError) -> ConfigurationNode {
    var reader = Reader(path: path)
    return try reader.read(text)
  }

  /// Far deeper than any configuration is.
  private static let deepest = 16

  private struct Reader {
    let path: String

    func error(_ line: Int, _ reason: String, _ hint: Hint) -> FileError {
      FileError(.badData, path, line: line, reason, hint)
    }

    mutating func read(_ text: [UInt8]) throws(FileError) -> ConfigurationNode {
      // On the heap, because libyaml keeps its address.
      let parser = UnsafeMutablePointer<yaml_parser_t>.allocate(capacity: 1)
      defer { parser.deallocate() }
      guard yaml_parser_initialize(parser) == 1 else {
        throw FileError(.tooLittleMemory, path, "libyaml has no memory", "close other programs")
      }
      defer { yaml_parser_delete(parser) }
      // libyaml reads from here until the parser is deleted.
      let copy = UnsafeMutablePointer<UInt8>.allocate(capacity: max(1, text.count))
      defer { copy.deallocate() }
      copy.update(from: text, count: text.count)
      yaml_parser_set_input_string(parser, copy, text.count)
      yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
      _ = try next(parser)  // the stream's start
      let start = try next(parser)
      guard start.kind == YAML_DOCUMENT_START_EVENT else {
        throw FileError(.badData, path, "it is empty", "write at least 'camera:' and 'questions:'")
      }
      let root = try node(try next(parser), parser, depth: 0)
      _ = try next(parser)  // the document's end
      let end = try next(parser)
      guard end.kind == YAML_STREAM_END_EVENT else {
        throw error(end.line, "a second document", "leave it out, with the line '---' before it")
      }
      return root
    }

    /// What is used of an event of libyaml's.
    private struct Event {
      var kind: yaml_event_type_t
      var line: Int
      var text = ""
      var hasAnchor = false
      var hasTag = false
    }

    private func next(_ parser: UnsafeMutablePointer<yaml_parser_t>) throws(FileError) -> Event {
      var event = yaml_event_t()
      guard yaml_parser_parse(parser, &event) == 1 else {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "no memory"
        let line = Int(max(parser.pointee.problem_mark.line, parser.pointee.context_mark.line)) + 1
        throw error(
          line, "not YAML: \(problem)", "check the indentation, and quote texts with ': ' or '#' in them")
      }
      defer { yaml_event_delete(&event) }
      var found = Event(kind: event.type, line: Int(event.start_mark.line) + 1)
      switch event.type {
      case YAML_SCALAR_EVENT:
        let scalar = event.data.scalar
        let bytes = UnsafeBufferPointer(start: scalar.value, count: scalar.length)
        found.text = String(decoding: bytes, as: UTF8.self)
        (found.hasAnchor, found.hasTag) = (scalar.anchor != nil, scalar.tag != nil)
      case YAML_SEQUENCE_START_EVENT:
        let sequence = event.data.sequence_start
        (found.hasAnchor, found.hasTag) = (sequence.anchor != nil, sequence.tag != nil)
      case YAML_MAPPING_START_EVENT:
        let mapping = event.data.mapping_start
        (found.hasAnchor, found.hasTag) = (mapping.anchor != nil, mapping.tag != nil)
      default: break
      }
      return found
    }

    private mutating func node(
      _ event: Event, _ parser: UnsafeMutablePointer<yaml_parser_t>, depth: Int
    ) throws(FileError) -> ConfigurationNode {
      if event.kind == YAML_ALIAS_EVENT || event.hasAnchor {
        throw error(
          event.line, "aliases (*) and anchors (&) are not read",
          "write the value itself; quote a text that begins so")
      }
      if event.hasTag {
        throw error(event.line, "tags (!) are not read", "leave it out; quote a text that begins so")
      }
      guard depth < deepest else {
        throw error(event.line, "too many values in one another", "write it flatter")
      }
      switch event.kind {
      case YAML_SEQUENCE_START_EVENT:
        var list: [ConfigurationNode] = []
        while true {
          let element = try next(parser)
          if element.kind == YAML_SEQUENCE_END_EVENT { break }
          list.append(try node(element, parser, depth: depth + 1))
        }
        return ConfigurationNode(value: .list(list), line: event.line)
      case YAML_MAPPING_START_EVENT:
        var members: [Member] = []
        while true {
          let key = try next(parser)
          if key.kind == YAML_MAPPING_END_EVENT { break }
          let name = try node(key, parser, depth: depth + 1)
          guard case .text(let name) = name.value else {
            throw error(key.line, "a key is no word", "write 'key: value'")
          }
          if let before = members.first(where: { $0.key == name }) {
            throw error(
              key.line, "\(UntrustedText.quoted(name)) is given twice, first in line \(before.line)",
              "give it once")
          }
          members.append(
            Member(key: name, line: key.line, value: try node(try next(parser), parser, depth: depth + 1)))
        }
        return ConfigurationNode(value: .map(members), line: event.line)
      default: return ConfigurationNode(value: .text(event.text), line: event.line)
      }
    }
  }
}
