// A YAML file as a tree, by libyaml's events.
//
// Only what a configuration needs: maps, lists and scalars of one document. Anchors, aliases and tags are refused:
// nobody needs them here, and an alias is how a small file becomes a huge one.

package import Base
import CYAML

package struct YAMLNode: Sendable {
    package struct Entry: Sendable {
        package let key: String
        package let line: Int
        package let value: YAMLNode
    }

    package indirect enum Content: Sendable {
        /// `key:` with nothing after it, `~` or `null`.
        case null
        case scalar(String)
        case list([YAMLNode])
        case map([Entry])
    }

    package let content: Content
    /// Counted from 1.
    package let line: Int
}

package struct YAMLError: Error, Equatable, CustomStringConvertible {
    package let line: Int
    package let reason: String

    package var description: String { "line \(line): \(reason)" }
}

package struct YAMLLimits: Sendable {
    /// A configuration with every key and its comments is some 20 KB; a megabyte is a wrong file.
    package var bytes = 1 << 20
    /// Our keys are four deep. Each level is one recursion of the reader.
    package var depth = 16
    /// Keys and values together; bounds the memory that a megabyte of `- a` could take.
    package var nodes = 20_000

    package init() {}
}

package enum YAML {
    /// `nil` when the file holds nothing but comments.
    package static func parse(_ bytes: Bytes, limits: YAMLLimits = YAMLLimits()) throws(YAMLError) -> YAMLNode? {
        guard bytes.count <= limits.bytes else {
            throw YAMLError(line: 1, reason: "the file is larger than \(ByteSize.text(limits.bytes))")
        }
        var reader = YAMLReader(bytes, limits: limits)
        return try reader.readDocument()
    }
}

/// Owns libyaml's parser, which keeps a pointer to itself and to the input: neither may move.
private struct YAMLReader: ~Copyable {
    private let parser: UnsafeMutablePointer<yaml_parser_t>
    private let input: UnsafeMutableBufferPointer<UInt8>
    private let limits: YAMLLimits
    private var nodes = 0

    init(_ bytes: Bytes, limits: YAMLLimits) {
        parser = .allocate(capacity: 1)
        parser.initialize(to: yaml_parser_t())
        input = .allocate(capacity: bytes.count)
        _ = input.initialize(fromContentsOf: bytes)
        self.limits = limits
        // Fails only without memory, like any allocation.
        guard yaml_parser_initialize(parser) == 1 else { preconditionFailure("libyaml got no memory") }
        yaml_parser_set_encoding(parser, YAML_UTF8_ENCODING)
        yaml_parser_set_input_string(parser, input.baseAddress, input.count)
    }

    deinit {
        yaml_parser_delete(parser)
        parser.deallocate()
        input.deallocate()
    }

    mutating func readDocument() throws(YAMLError) -> YAMLNode? {
        guard case .streamStart = try next().kind else { throw failure(line: 1, "not a YAML stream") }
        let first = try next()
        if case .streamEnd = first.kind { return nil }
        let node = try readNode(try next(), depth: 0)
        _ = try next()  // the document's end
        let last = try next()
        guard case .streamEnd = last.kind else {
            throw failure(line: last.line, "a second document begins; there should be one only")
        }
        return node
    }

    private mutating func readNode(_ event: Event, depth: Int) throws(YAMLError) -> YAMLNode {
        nodes += 1
        guard nodes <= limits.nodes else { throw failure(line: event.line, "more than \(limits.nodes) values") }
        guard depth <= limits.depth else { throw failure(line: event.line, "nested deeper than \(limits.depth)") }
        switch event.kind {
        case .scalar(let text, let isPlain):
            let isNull = isPlain && ["", "~", "null", "Null", "NULL"].contains(text)
            return YAMLNode(content: isNull ? .null : .scalar(text), line: event.line)
        case .listStart: return YAMLNode(content: .list(try readList(depth: depth)), line: event.line)
        case .mapStart: return YAMLNode(content: .map(try readMap(depth: depth)), line: event.line)
        case .alias: throw failure(line: event.line, "aliases (*name) are not allowed")
        default: throw failure(line: event.line, "a value is missing")
        }
    }

    private mutating func readList(depth: Int) throws(YAMLError) -> [YAMLNode] {
        var items: [YAMLNode] = []
        while true {
            let event = try next()
            if case .listEnd = event.kind { return items }
            items.append(try readNode(event, depth: depth + 1))
        }
    }

    private mutating func readMap(depth: Int) throws(YAMLError) -> [YAMLNode.Entry] {
        var entries: [YAMLNode.Entry] = []
        var seen: Set<String> = []
        while true {
            let event = try next()
            if case .mapEnd = event.kind { return entries }
            guard case .scalar(let key, _) = event.kind else {
                throw failure(line: event.line, "a key should be plain text")
            }
            guard seen.insert(key).inserted else {
                throw failure(line: event.line, "the key `\(key.prefix(100))` is there twice")
            }
            let value = try readNode(try next(), depth: depth + 1)
            entries.append(YAMLNode.Entry(key: key, line: event.line, value: value))
        }
    }

    private func failure(line: Int, _ reason: String) -> YAMLError { YAMLError(line: line, reason: reason) }
}

extension YAMLReader {
    private struct Event {
        enum Kind {
            case streamStart, streamEnd, documentStart, documentEnd, listStart, listEnd, mapStart, mapEnd, alias
            case scalar(String, isPlain: Bool)
        }
        let kind: Kind
        let line: Int
    }

    private mutating func next() throws(YAMLError) -> Event {
        var event = yaml_event_t()
        guard yaml_parser_parse(parser, &event) == 1 else { throw syntaxError() }
        defer { yaml_event_delete(&event) }
        let line = Int(clamping: event.start_mark.line) + 1
        if let ornament = ornament(of: event) { throw failure(line: line, "\(ornament) are not allowed") }
        return Event(kind: try kind(of: event, line: line), line: line)
    }

    private func kind(of event: yaml_event_t, line: Int) throws(YAMLError) -> Event.Kind {
        switch event.type {
        case YAML_STREAM_START_EVENT: .streamStart
        case YAML_STREAM_END_EVENT: .streamEnd
        case YAML_DOCUMENT_START_EVENT: .documentStart
        case YAML_DOCUMENT_END_EVENT: .documentEnd
        case YAML_SEQUENCE_START_EVENT: .listStart
        case YAML_SEQUENCE_END_EVENT: .listEnd
        case YAML_MAPPING_START_EVENT: .mapStart
        case YAML_MAPPING_END_EVENT: .mapEnd
        case YAML_ALIAS_EVENT: .alias
        case YAML_SCALAR_EVENT: scalar(event.data.scalar)
        default: throw failure(line: line, "an event that libyaml should not have sent")
        }
    }

    private func scalar(_ scalar: yaml_event_s.__Unnamed_union_data.__Unnamed_struct_scalar) -> Event.Kind {
        let bytes = UnsafeBufferPointer(start: scalar.value, count: Int(clamping: scalar.length))
        return .scalar(String(decoding: bytes, as: UTF8.self), isPlain: scalar.style == YAML_PLAIN_SCALAR_STYLE)
    }

    /// What hangs on a node beside its content.
    private func ornament(of event: yaml_event_t) -> String? {
        let (anchor, tag): (UnsafeMutablePointer<yaml_char_t>?, UnsafeMutablePointer<yaml_char_t>?) =
            switch event.type {
            case YAML_SCALAR_EVENT: (event.data.scalar.anchor, event.data.scalar.tag)
            case YAML_SEQUENCE_START_EVENT: (event.data.sequence_start.anchor, event.data.sequence_start.tag)
            case YAML_MAPPING_START_EVENT: (event.data.mapping_start.anchor, event.data.mapping_start.tag)
            default: (nil, nil)
            }
        if anchor != nil { return "anchors (&name)" }
        return tag != nil ? "tags (!name)" : nil
    }

    private func syntaxError() -> YAMLError {
        let problem = parser.pointee.problem.map { String(cString: $0) } ?? "not readable"
        // The reader's errors (a byte that is not UTF-8) have an offset instead of a mark.
        let line: Int
        if parser.pointee.error == YAML_READER_ERROR {
            let offset = min(Int(clamping: parser.pointee.problem_offset), input.count)
            line = input[..<offset].count { $0 == UInt8(ascii: "\n") } + 1
        } else {
            line = Int(clamping: parser.pointee.problem_mark.line) + 1
        }
        return failure(line: line, problem)
    }
}
