// What a zip archive is by the names of its members: office files, e-books and programs are archives.
//
// Only names are read, from local headers at the start and from the directory at the end; nothing is unpacked.

enum ZipSniffer {
    /// Names looked at, at most: those that tell come first.
    private static let namesMax = 512

    /// For bytes that begin as an archive.
    static func type(prefix: ArraySlice<UInt8>, suffix: ArraySlice<UInt8>) -> ContentType? {
        if prefix.has("PK\u{5}\u{6}") { return .zip }
        guard prefix.has("PK\u{3}\u{4}") else { return nil }
        if let type = declared(prefix) { return type }
        var verdict = Verdict()
        names(prefix, signature: "PK\u{3}\u{4}", lengthAt: 26, nameAt: 30) { verdict.note($0) }
        names(suffix, signature: "PK\u{1}\u{2}", lengthAt: 28, nameAt: 46) { verdict.note($0) }
        return verdict.type
    }

    /// For bytes that begin as something else: an archive is found by its end, so it may hide behind an image.
    static func type(atEnd suffix: ArraySlice<UInt8>) -> ContentType? {
        guard let end = suffix.firstIndex(of: "PK\u{5}\u{6}"), suffix.endIndex - end >= 22 else { return nil }
        var verdict = Verdict()
        names(suffix, signature: "PK\u{1}\u{2}", lengthAt: 28, nameAt: 46) { verdict.note($0) }
        return verdict.type
    }

    /// OpenDocument and EPUB begin with a member `mimetype`, stored as it is.
    private static func declared(_ prefix: ArraySlice<UInt8>) -> ContentType? {
        guard prefix.has("mimetype", at: 30), prefix.little16(26) == 8, let extra = prefix.little16(28) else {
            return nil
        }
        let types: [(StaticString, ContentType)] = [
            ("application/vnd.oasis.opendocument.text", .openText),
            ("application/vnd.oasis.opendocument.spreadsheet", .openSpreadsheet),
            ("application/vnd.oasis.opendocument.presentation", .openPresentation),
            ("application/vnd.oasis.opendocument.graphics", .openGraphics),
            ("application/epub+zip", .epub),
        ]
        return types.first { prefix.has($0.0, at: 38 + extra) }?.1
    }

    private static func names(
        _ bytes: ArraySlice<UInt8>, signature: StaticString, lengthAt: Int, nameAt: Int,
        _ note: (ArraySlice<UInt8>) -> Void
    ) {
        var start = bytes.startIndex
        for _ in 0..<namesMax {
            guard let header = bytes.firstIndex(of: signature, from: start) else { return }
            let entry = bytes[header...]
            guard let length = entry.little16(lengthAt) else { return }
            let name = entry.dropFirst(nameAt).prefix(length)
            note(name)
            start = name.isEmpty ? header + 4 : name.endIndex
        }
    }

    private struct Verdict {
        private var hasParts = false
        private var office: ContentType?
        private var program: ContentType?

        mutating func note(_ name: ArraySlice<UInt8>) {
            if name.has("[Content_Types].xml") || name.has("_rels/") { hasParts = true }
            if office == nil {
                if name.has("word/") { office = .wordDocument }
                if name.has("xl/") { office = .spreadsheet }
                if name.has("ppt/") { office = .presentation }
            }
            if name.has("AndroidManifest.xml") || name.has("classes.dex") { program = .androidPackage }
            if program == nil, name.has("META-INF/MANIFEST.MF") { program = .javaArchive }
        }

        /// A program that also looks like a document is a program.
        var type: ContentType { program ?? (hasParts ? office : nil) ?? .zip }
    }
}
