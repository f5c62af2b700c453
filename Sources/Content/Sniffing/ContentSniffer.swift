// The type of content by its first and last bytes. What its sender called it is compared, never believed.
//
// Where the bytes can be read as two things, the more dangerous one is told: a GIF that is also a page is a page. What
// runs its author's words (HTML, SVG, programs) is told as such, so that nobody shows it inline.

package import Base

package struct SniffedContent: Hashable, Sendable {
    package let type: ContentType
    /// The bytes can also be read as something more harmless, which somebody may have made so on purpose.
    package let isPolyglot: Bool

    package init(_ type: ContentType, isPolyglot: Bool = false) {
        self.type = type
        self.isPolyglot = isPolyglot
    }

    package var mayShowInline: Bool { type.mayShowInline && !isPolyglot }
}

package enum ContentSniffer {
    /// How many of the first bytes are looked at. Office files name their parts within it; an HTML page shows a tag.
    package static let prefixBytes = 16_384
    /// How many of the last bytes: a zip archive's directory ends the file, behind it a comment of up to 65,535 bytes.
    package static let suffixBytes = 65_557
    /// Readers of PDF accept its header this far into the file, whatever stands before.
    static let pdfHeaderBytes = 1_024

    /// `prefix` are the first bytes, up to `prefixBytes`; `suffix` the last ones, empty when they are not at hand.
    package static func sniff(prefix: Bytes, suffix: Bytes = []) -> SniffedContent {
        let prefix = prefix.prefix(prefixBytes)
        let suffix = suffix.suffix(suffixBytes)
        guard !prefix.isEmpty else { return SniffedContent(.empty) }
        let plain = Signatures.match(prefix) ?? ZipSniffer.type(prefix: prefix, suffix: suffix)
        guard let plain else { return SniffedContent(TextSniffer.type(of: prefix) ?? hidden(in: prefix, suffix)) }
        let other = moreDangerous(than: plain, prefix, suffix)
        return SniffedContent(other ?? plain, isPolyglot: other != nil)
    }

    /// What bytes without a signature are when they are no text.
    private static func hidden(in prefix: ArraySlice<UInt8>, _ suffix: ArraySlice<UInt8>) -> ContentType {
        if isPDF(prefix) { return .pdf }
        if let type = ZipSniffer.type(atEnd: suffix) { return type }
        return .unknown
    }

    private static func moreDangerous(
        than plain: ContentType, _ prefix: ArraySlice<UInt8>, _ suffix: ArraySlice<UInt8>
    ) -> ContentType? {
        switch plain.kind {
        case .active, .archive, .binary: return nil
        case .document:
            // Office files are archives themselves, and those of plain XML hold tags: only PDF can surprise.
            return plain == .pdf ? TextSniffer.activeTag(in: prefix) : nil
        case .text, .image, .audio, .video:
            if let type = TextSniffer.activeTag(in: prefix) { return type }
            if let type = ZipSniffer.type(atEnd: suffix) { return type }
            return isPDF(prefix) ? .pdf : nil
        }
    }

    private static func isPDF(_ prefix: ArraySlice<UInt8>) -> Bool {
        prefix.prefix(pdfHeaderBytes).firstIndex(of: "%PDF-") != nil
    }
}

extension ArraySlice<UInt8> {
    /// Where `word` first stands.
    func firstIndex(of word: StaticString) -> Int? {
        firstIndex(of: word, from: startIndex)
    }

    func firstIndex(of word: StaticString, from start: Int) -> Int? {
        let count = word.utf8CodeUnitCount
        guard endIndex - start >= count, count > 0 else { return nil }
        let first = unsafe word.utf8Start[0]
        for index in start...(endIndex - count) where self[index] == first && has(word, at: index - startIndex) {
            return index
        }
        return nil
    }

    /// Whether `word` stands `offset` bytes behind the start.
    func has(_ word: StaticString, at offset: Int = 0) -> Bool {
        let count = word.utf8CodeUnitCount
        guard offset >= 0, self.count - offset >= count else { return false }
        for index in 0..<count where unsafe self[startIndex + offset + index] != word.utf8Start[index] { return false }
        return true
    }

    /// The byte `offset` behind the start.
    func byte(_ offset: Int) -> UInt8? {
        offset >= 0 && offset < count ? self[startIndex + offset] : nil
    }

    func little16(_ offset: Int) -> Int? {
        guard let low = byte(offset), let high = byte(offset + 1) else { return nil }
        return Int(low) | Int(high) << 8
    }

    func little32(_ offset: Int) -> Int? {
        guard let low = little16(offset), let high = little16(offset + 2) else { return nil }
        return low | high << 16
    }

    func big16(_ offset: Int) -> Int? {
        guard let high = byte(offset), let low = byte(offset + 1) else { return nil }
        return Int(high) << 8 | Int(low)
    }

    func big32(_ offset: Int) -> Int? {
        guard let high = big16(offset), let low = big16(offset + 2) else { return nil }
        return high << 16 | low
    }
}
