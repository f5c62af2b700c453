// A second reader of Matroska, by RFC 8794 and RFC 9559 and nothing else: it has its own table of elements, and says what
// is wrong with a file instead of passing over it.

import Base

struct MatroskaFault: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

struct MatroskaReader {
    enum Kind { case master, unsigned, signed, float, text, binary, date }

    struct Schema {
        let name: String
        let kind: Kind
        let parent: String
        var mandatory = false
        var repeats = false
    }

    static let schema: [UInt64: Schema] = [
        0x1A45DFA3: Schema(name: "EBML", kind: .master, parent: "", mandatory: true),
        0x4286: Schema(name: "EBMLVersion", kind: .unsigned, parent: "EBML"),
        0x42F7: Schema(name: "EBMLReadVersion", kind: .unsigned, parent: "EBML"),
        0x42F2: Schema(name: "EBMLMaxIDLength", kind: .unsigned, parent: "EBML"),
        0x42F3: Schema(name: "EBMLMaxSizeLength", kind: .unsigned, parent: "EBML"),
        0x4282: Schema(name: "DocType", kind: .text, parent: "EBML", mandatory: true),
        0x4287: Schema(name: "DocTypeVersion", kind: .unsigned, parent: "EBML", mandatory: true),
        0x4285: Schema(name: "DocTypeReadVersion", kind: .unsigned, parent: "EBML", mandatory: true),
        0x18538067: Schema(name: "Segment", kind: .master, parent: "", mandatory: true),
        0x114D9B74: Schema(name: "SeekHead", kind: .master, parent: "Segment"),
        0x4DBB: Schema(name: "Seek", kind: .master, parent: "SeekHead", mandatory: true, repeats: true),
        0x53AB: Schema(name: "SeekID", kind: .binary, parent: "Seek", mandatory: true),
        0x53AC: Schema(name: "SeekPosition", kind: .unsigned, parent: "Seek", mandatory: true),
        0x1549A966: Schema(name: "Info", kind: .master, parent: "Segment", mandatory: true),
        0x2AD7B1: Schema(name: "TimestampScale", kind: .unsigned, parent: "Info", mandatory: true),
        0x4489: Schema(name: "Duration", kind: .float, parent: "Info"),
        0x4461: Schema(name: "DateUTC", kind: .date, parent: "Info"),
        0x4D80: Schema(name: "MuxingApp", kind: .text, parent: "Info", mandatory: true),
        0x5741: Schema(name: "WritingApp", kind: .text, parent: "Info", mandatory: true),
        0x1654AE6B: Schema(name: "Tracks", kind: .master, parent: "Segment", mandatory: true),
        0xAE: Schema(name: "TrackEntry", kind: .master, parent: "Tracks", mandatory: true, repeats: true),
        0xD7: Schema(name: "TrackNumber", kind: .unsigned, parent: "TrackEntry", mandatory: true),
        0x73C5: Schema(name: "TrackUID", kind: .unsigned, parent: "TrackEntry", mandatory: true),
        0x83: Schema(name: "TrackType", kind: .unsigned, parent: "TrackEntry", mandatory: true),
        0x9C: Schema(name: "FlagLacing", kind: .unsigned, parent: "TrackEntry"),
        0x536E: Schema(name: "Name", kind: .text, parent: "TrackEntry"),
        0x22B59C: Schema(name: "Language", kind: .text, parent: "TrackEntry"),
        0x86: Schema(name: "CodecID", kind: .text, parent: "TrackEntry", mandatory: true),
        0x63A2: Schema(name: "CodecPrivate", kind: .binary, parent: "TrackEntry"),
        0x56AA: Schema(name: "CodecDelay", kind: .unsigned, parent: "TrackEntry"),
        0x56BB: Schema(name: "SeekPreRoll", kind: .unsigned, parent: "TrackEntry"),
        0xE0: Schema(name: "Video", kind: .master, parent: "TrackEntry"),
        0xB0: Schema(name: "PixelWidth", kind: .unsigned, parent: "Video", mandatory: true),
        0xBA: Schema(name: "PixelHeight", kind: .unsigned, parent: "Video", mandatory: true),
        0xE1: Schema(name: "Audio", kind: .master, parent: "TrackEntry"),
        0xB5: Schema(name: "SamplingFrequency", kind: .float, parent: "Audio", mandatory: true),
        0x9F: Schema(name: "Channels", kind: .unsigned, parent: "Audio", mandatory: true),
        0x1F43B675: Schema(name: "Cluster", kind: .master, parent: "Segment", repeats: true),
        0xE7: Schema(name: "Timestamp", kind: .unsigned, parent: "Cluster", mandatory: true),
        0xAB: Schema(name: "PrevSize", kind: .unsigned, parent: "Cluster"),
        0xA3: Schema(name: "SimpleBlock", kind: .binary, parent: "Cluster", repeats: true),
        0x1C53BB6B: Schema(name: "Cues", kind: .master, parent: "Segment"),
        0xBB: Schema(name: "CuePoint", kind: .master, parent: "Cues", mandatory: true, repeats: true),
        0xB3: Schema(name: "CueTime", kind: .unsigned, parent: "CuePoint", mandatory: true),
        0xB7: Schema(name: "CueTrackPositions", kind: .master, parent: "CuePoint", mandatory: true, repeats: true),
        0xF7: Schema(name: "CueTrack", kind: .unsigned, parent: "CueTrackPositions", mandatory: true),
        0xF1: Schema(name: "CueClusterPosition", kind: .unsigned, parent: "CueTrackPositions", mandatory: true),
    ]

    struct Element {
        let name: String
        /// Of its first byte, in the file.
        let start: Int
        let body: Range<Int>
        var children: [Element] = []
    }

    struct Block: Equatable {
        var time: Int
        var isKeyframe: Bool
        var bytes: Bytes
        var cluster: Int
    }

    let bytes: Bytes
    private(set) var roots: [Element] = []

    init(_ bytes: Bytes, isFinished: Bool = true) throws {
        self.bytes = bytes
        var offset = 0
        while offset < bytes.count {
            roots.append(try element(&offset, end: bytes.count, parent: "", isFinished))
        }
        guard roots.map(\.name) == ["EBML", "Segment"] else { throw MatroskaFault("\(roots.map(\.name)) at the top") }
        for root in roots { try check(root) }
    }

    // MARK: Elements

    private func vint(_ offset: inout Int, keepsMarker: Bool) throws -> (value: UInt64, isUnknown: Bool) {
        guard offset < bytes.count else { throw MatroskaFault("a number past the end") }
        let first = bytes[offset]
        let width = first.leadingZeroBitCount + 1
        guard width <= (keepsMarker ? 4 : 8), offset + width <= bytes.count else {
            throw MatroskaFault("a number of \(width) bytes at \(offset)")
        }
        var value = keepsMarker ? UInt64(first) : UInt64(first) & (0xFF >> UInt64(width))
        for index in 1..<max(width, 1) { value = value << 8 | UInt64(bytes[offset + index]) }
        offset += width
        return (value, !keepsMarker && value == 1 << UInt64(7 * width) - 1)
    }

    private func element(_ offset: inout Int, end: Int, parent: String, _ isFinished: Bool) throws -> Element {
        let start = offset
        let id = try vint(&offset, keepsMarker: true).value
        let (size, isUnknown) = try vint(&offset, keepsMarker: false)
        if id == 0xEC {
            let body = offset..<(offset + Int(size))
            guard body.upperBound <= end else { throw MatroskaFault("a void past its parent's end") }
            offset = body.upperBound
            return Element(name: "Void", start: start, body: body)
        }
        guard let schema = Self.schema[id] else { throw MatroskaFault("no element \(id) at \(start)") }
        guard schema.parent == parent else { throw MatroskaFault("\(schema.name) in \(parent)") }
        if isUnknown && (isFinished || schema.name != "Segment") { throw MatroskaFault("\(schema.name) has no size") }
        let bodyEnd = isUnknown ? end : offset + Int(size)
        guard bodyEnd <= end else { throw MatroskaFault("\(schema.name) ends at \(bodyEnd), its parent at \(end)") }
        var element = Element(name: schema.name, start: start, body: offset..<bodyEnd)
        if schema.kind == .master {
            while offset < bodyEnd {
                element.children.append(try self.element(&offset, end: bodyEnd, parent: schema.name, isFinished))
            }
        } else if schema.kind == .unsigned || schema.kind == .signed {
            guard size >= 1, size <= 8 else { throw MatroskaFault("\(schema.name) of \(size) bytes") }
        } else if schema.kind == .float || schema.kind == .date {
            guard size == 8 || size == 4 else { throw MatroskaFault("\(schema.name) of \(size) bytes") }
        }
        offset = bodyEnd
        return element
    }

    private func check(_ element: Element) throws {
        let names = element.children.map(\.name)
        for schema in Self.schema.values where schema.parent == element.name {
            let count = names.count { $0 == schema.name }
            if schema.mandatory && count == 0 { throw MatroskaFault("\(element.name) without \(schema.name)") }
            if !schema.repeats && count > 1 { throw MatroskaFault("\(count) times \(schema.name)") }
        }
        for child in element.children { try check(child) }
    }

    // MARK: Values

    var segment: Element { roots[1] }

    func all(_ name: String, in element: Element? = nil) -> [Element] {
        (element ?? segment).children.filter { $0.name == name }
    }

    /// By names with slashes, from the segment or from what is given.
    func find(_ path: String, in element: Element? = nil) -> Element? {
        path.split(separator: "/").reduce(element ?? segment) { element, name in
            element?.children.first { $0.name == name }
        }
    }

    func unsigned(_ path: String, in element: Element? = nil) -> Int? {
        find(path, in: element).map { Int(bytes[$0.body].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) }
    }

    func float(_ path: String) -> Double? {
        find(path).map { Double(bitPattern: bytes[$0.body].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }) }
    }

    func text(_ path: String, in element: Element? = nil) -> String? {
        find(path, in: element).map { String(decoding: bytes[$0.body], as: UTF8.self) }
    }

    func binary(_ path: String) -> Bytes? { find(path).map { Bytes(bytes[$0.body]) } }

    /// All blocks, with what must hold of clusters checked.
    func blocks() throws -> [Block] {
        var blocks: [Block] = []
        var before: Element?
        for (number, cluster) in all("Cluster").enumerated() {
            guard cluster.children.first?.name == "Timestamp", let base = unsigned("Timestamp", in: cluster) else {
                throw MatroskaFault("a cluster does not begin with its time")
            }
            if let size = unsigned("PrevSize", in: cluster), let before {
                guard size == cluster.start - before.start else { throw MatroskaFault("PrevSize is \(size)") }
            }
            before = cluster
            for block in all("SimpleBlock", in: cluster) {
                let body = Bytes(bytes[block.body])
                guard body.count > 4, body[0] == 0x81, body[3] & 0x7F == 0 else {
                    throw MatroskaFault("a block of track \(body.first ?? 0) or with lacing")
                }
                let relative = Int(Int16(bitPattern: UInt16(body[1]) << 8 | UInt16(body[2])))
                blocks.append(
                    Block(
                        time: base + relative, isKeyframe: body[3] & 0x80 != 0, bytes: Bytes(body.dropFirst(4)),
                        cluster: number))
            }
        }
        return blocks
    }

    /// What the index at the beginning and the cues at the end say is there.
    func checkIndex() throws {
        guard let head = find("SeekHead") else { throw MatroskaFault("no index") }
        var seen: [String] = []
        for seek in all("Seek", in: head) {
            guard let id = find("SeekID", in: seek).map({ bytes[$0.body].reduce(UInt64(0)) { $0 << 8 | UInt64($1) } }),
                let position = unsigned("SeekPosition", in: seek), let name = Self.schema[id]?.name,
                let target = segment.children.first(where: { $0.start == segment.body.lowerBound + position }),
                target.name == name
            else { throw MatroskaFault("the index points beside") }
            seen.append(name)
        }
        guard Set(seen) == ["Info", "Tracks", "Cues"] else { throw MatroskaFault("the index has \(seen)") }
        let blocks = try blocks()
        let clusters = all("Cluster")
        for point in find("Cues").map({ all("CuePoint", in: $0) }) ?? [] {
            guard let time = unsigned("CueTime", in: point),
                let position = unsigned("CueTrackPositions/CueClusterPosition", in: point),
                let number = clusters.firstIndex(where: { $0.start == segment.body.lowerBound + position }),
                let first = blocks.first(where: { $0.cluster == number }), first.time == time, first.isKeyframe
            else { throw MatroskaFault("a cue points at no keyframe that begins a cluster") }
        }
    }
}
