// Text or not, and whether a browser would run it.

enum TextSniffer {
    /// `nil` for what is no text.
    static func type(of prefix: ArraySlice<UInt8>) -> ContentType? {
        if prefix.starts(with: [0xFF, 0xFE]) || prefix.starts(with: [0xFE, 0xFF]) { return wide(prefix) }
        guard !isBinary(prefix) else { return nil }
        return narrow(prefix.starts(with: [0xEF, 0xBB, 0xBF]) ? prefix.dropFirst(3) : prefix)
    }

    /// The bytes that no text holds (the MIME Sniffing standard's "binary data bytes").
    static func isBinary(_ prefix: ArraySlice<UInt8>) -> Bool {
        prefix.contains { $0 <= 0x08 || $0 == 0x0B || (0x0E...0x1A).contains($0) || (0x1C...0x1F).contains($0) }
    }

    /// UTF-16 with a byte order mark. Tags are looked for in its low bytes.
    private static func wide(_ prefix: ArraySlice<UInt8>) -> ContentType {
        let isLittle = prefix.byte(0) == 0xFF
        var narrowed: [UInt8] = []
        narrowed.reserveCapacity(prefix.count / 2)
        for offset in stride(from: 2, to: prefix.count - 1, by: 2) {
            let unit = isLittle ? prefix.little16(offset) : prefix.big16(offset)
            narrowed.append(unit.flatMap { UInt8(exactly: $0) } ?? UInt8(ascii: "?"))
        }
        return isBinary(narrowed[...]) ? .unknown : narrow(narrowed[...])
    }

    private static func narrow(_ text: ArraySlice<UInt8>) -> ContentType {
        let start = text.drop { $0 == 0x20 || (0x09...0x0D).contains($0) }
        if start.has("#!") { return .script }
        if let active = activeTag(in: start) { return active }
        if start.has("<?xml") { return .xml }
        return .plainText
    }

    /// The tags of pages and of vector images that run scripts, in lower case, without `<`.
    private static let tags: [(StaticString, ContentType)] = [
        ("svg", .svg), ("!doctype svg", .svg), ("html", .html), ("!doctype html", .html), ("script", .html),
        ("head", .html), ("body", .html), ("iframe", .html), ("img", .html), ("meta", .html), ("style", .html),
        ("object", .html), ("embed", .html), ("link", .html), ("form", .html), ("base", .html), ("title", .html),
        ("table", .html), ("div", .html), ("a", .html), ("font", .html), ("video", .html), ("audio", .html),
        ("input", .html), ("math", .html),
    ]
    /// Tags that mark a page wherever they stand; the others do so at the start only, for letters and program texts
    /// are full of them.
    private static let strong = 8

    /// What the tags in the bytes make of them; `nil` without one. A page that holds an image is a page.
    static func activeTag(in text: ArraySlice<UInt8>) -> ContentType? {
        var found: ContentType?
        var index = text.startIndex
        while let next = text[index...].firstIndex(of: UInt8(ascii: "<")) {
            index = next + 1
            let candidates = next == text.startIndex ? tags[...] : tags[..<strong]
            guard let type = candidates.first(where: { isTag($0.0, text[index...]) })?.1 else { continue }
            if type == .html { return .html }
            found = type
        }
        return found
    }

    private static func isTag(_ name: StaticString, _ text: ArraySlice<UInt8>) -> Bool {
        let count = name.utf8CodeUnitCount
        guard text.count >= count else { return false }
        for index in 0..<count {
            let byte = text[text.startIndex + index]
            let lower = (0x41...0x5A).contains(byte) ? byte | 0x20 : byte
            guard unsafe lower == name.utf8Start[index] else { return false }
        }
        // The end of the sample ends a name too: what follows may be anything.
        guard let end = text.byte(count) else { return true }
        return end <= 0x20 || end == UInt8(ascii: ">") || end == UInt8(ascii: "/")
    }
}
