// What the first bytes say of formats that have a signature. Those of two or three bytes are checked further: `BM`
// also begins letters.

enum Signatures {
    private struct Entry {
        let offset: Int
        let bytes: [UInt8]
        let type: ContentType

        init(_ bytes: [UInt8], _ type: ContentType, at offset: Int = 0) {
            self.bytes = bytes
            self.type = type
            self.offset = offset
        }

        init(_ text: String, _ type: ContentType, at offset: Int = 0) {
            self.init(Array(text.utf8), type, at: offset)
        }
    }

    private static let table: [Entry] = [
        Entry([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A], .png),
        Entry([0xFF, 0xD8, 0xFF], .jpeg), Entry("GIF87a", .gif), Entry("GIF89a", .gif),
        Entry("II*\0", .tiff), Entry("MM\0*", .tiff), Entry("8BPS", .photoshop),
        Entry("%PDF-", .pdf), Entry("%!PS", .postScript), Entry([0xC5, 0xD0, 0xD3, 0xC6], .postScript),
        Entry("{\\rtf", .richText), Entry([0xD0, 0xCF, 0x11, 0xE0, 0xA1, 0xB1, 0x1A, 0xE1], .oldOffice),
        Entry("fLaC", .flac), Entry("MThd\0\0\0\u{6}", .midi), Entry("#!AMR", .amr), Entry("ID3", .mp3),
        Entry("FLV\u{1}", .flash), Entry([0, 0, 1, 0xBA], .mpeg), Entry([0, 0, 1, 0xB3], .mpeg),
        Entry([0x1F, 0x8B, 8], .gzip), Entry([0xFD, 0x37, 0x7A, 0x58, 0x5A, 0], .xz),
        Entry([0x28, 0xB5, 0x2F, 0xFD], .zstandard), Entry([0x37, 0x7A, 0xBC, 0xAF, 0x27, 0x1C], .sevenZip),
        Entry("Rar!\u{1A}\u{7}", .rar), Entry("ustar", .tar, at: 257),
        Entry([0x7F, 0x45, 0x4C, 0x46], .elf), Entry("\0asm", .webAssembly),
        Entry([0xFE, 0xED, 0xFA, 0xCE], .machO), Entry([0xFE, 0xED, 0xFA, 0xCF], .machO),
        Entry([0xCE, 0xFA, 0xED, 0xFE], .machO), Entry([0xCF, 0xFA, 0xED, 0xFE], .machO),
        // Java's classes and Apple's programs for several processors share it.
        Entry([0xCA, 0xFE, 0xBA, 0xBE], .machO),
        Entry([0x4C, 0, 0, 0, 1, 0x14, 2, 0], .shortcut),
    ]

    static func match(_ prefix: ArraySlice<UInt8>) -> ContentType? {
        for entry in table where prefix.dropFirst(entry.offset).starts(with: entry.bytes) { return entry.type }
        return riff(prefix) ?? base(prefix) ?? matroska(prefix) ?? ogg(prefix) ?? short(prefix)
    }

    private static func riff(_ prefix: ArraySlice<UInt8>) -> ContentType? {
        if prefix.has("RIFF") {
            if prefix.has("WEBP", at: 8) { return .webP }
            if prefix.has("WAVE", at: 8) { return .wav }
            if prefix.has("AVI ", at: 8) { return .avi }
        }
        if prefix.has("FORM"), prefix.has("AIFF", at: 8) || prefix.has("AIFC", at: 8) { return .aiff }
        return nil
    }

    /// ISO base media files: the brand says whether it is a film, a sound or a still.
    private static func base(_ prefix: ArraySlice<UInt8>) -> ContentType? {
        guard prefix.has("ftyp", at: 4) else {
            // QuickTime from before there were brands.
            let isOld = prefix.has("moov", at: 4) || prefix.has("mdat", at: 4) || prefix.has("wide", at: 4)
            return isOld ? .quickTime : nil
        }
        let brands: [(StaticString, ContentType)] = [
            ("avif", .avif), ("avis", .avif), ("heic", .heif), ("heix", .heif), ("hevc", .heif), ("mif1", .heif),
            ("msf1", .heif), ("M4A ", .mp4Audio), ("M4B ", .mp4Audio), ("qt  ", .quickTime), ("3gp", .threeGPP),
            ("3g2", .threeGPP),
        ]
        let type = brands.first { prefix.has($0.0, at: 8) }?.1 ?? .mp4
        // `mif1` only says "a still image"; which one stands among the compatible brands.
        if type == .heif, prefix.prefix(64).firstIndex(of: "avif") != nil { return .avif }
        return type
    }

    private static func matroska(_ prefix: ArraySlice<UInt8>) -> ContentType? {
        guard prefix.starts(with: [0x1A, 0x45, 0xDF, 0xA3]) else { return nil }
        return prefix.prefix(64).firstIndex(of: "webm") != nil ? .webM : .matroska
    }

    /// The first packet of the first stream stands behind a page header of 28 bytes.
    private static func ogg(_ prefix: ArraySlice<UInt8>) -> ContentType? {
        guard prefix.has("OggS\0") else { return nil }
        let sounds: [StaticString] = ["\u{1}vorbis", "OpusHead", "\u{7F}FLAC", "Speex   "]
        return sounds.contains { prefix.has($0, at: 28) } ? .oggAudio : .oggVideo
    }

    private static func short(_ prefix: ArraySlice<UInt8>) -> ContentType? {
        if prefix.has("MZ"), TextSniffer.isBinary(prefix) { return .windowsProgram }
        if prefix.has("BM"), let header = prefix.little32(14), [12, 40, 52, 56, 64, 108, 124].contains(header),
            prefix.little32(6) == 0
        {
            return .bmp
        }
        if prefix.starts(with: [0, 0, 1, 0]), let count = prefix.little16(4), (1...64).contains(count),
            prefix.byte(9) == 0
        {
            return .icon
        }
        if prefix.has("BZh"), let level = prefix.byte(3), (0x31...0x39).contains(level),
            prefix.dropFirst(4).starts(with: [0x31, 0x41, 0x59, 0x26, 0x53, 0x59])
        {
            return .bzip2
        }
        if let type = mpegFrame(prefix) { return type }
        let isStream = [0, 188, 376].allSatisfy { prefix.byte($0) == 0x47 }
        return isStream && TextSniffer.isBinary(prefix) ? .mpegStream : nil
    }

    /// A frame of MP3 or AAC without a tag before it: eleven or twelve set bits, and fields that are in use.
    private static func mpegFrame(_ prefix: ArraySlice<UInt8>) -> ContentType? {
        guard prefix.byte(0) == 0xFF, let second = prefix.byte(1), let third = prefix.byte(2) else { return nil }
        if second & 0xF6 == 0xF0, third & 0x3C != 0x3C { return .aac }
        let isLayer3 = second & 0xE6 == 0xE2 && second & 0x18 != 0x08
        let isInUse = third >> 4 != 0 && third >> 4 != 15 && third & 0x0C != 0x0C
        return isLayer3 && isInUse ? .mp3 : nil
    }
}
