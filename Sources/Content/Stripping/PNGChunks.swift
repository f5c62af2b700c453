// PNG chunk by chunk: 8 bytes of signature, then <length, 4 bytes> <name, 4 bytes> <content> <CRC, 4 bytes>, the first
// IHDR and the last IEND.

import Base

struct PNGChunks {
    /// Where the second chunk begins: IHDR always has 13 bytes.
    static let headerEnd = 33

    private(set) var orientation = Orientation.upright
    private(set) var isAnimated = false
    private(set) var stripped: Bytes = []
    /// The chunk of the ICC profile, whole.
    private var profile: ArraySlice<UInt8>?

    /// Pixels, what they mean, and how an animation goes on.
    private static let kept = Set(
        [
            "IHDR", "PLTE", "IDAT", "IEND", "tRNS", "gAMA", "cHRM", "sRGB", "sBIT", "cICP", "bKGD", "pHYs", "acTL",
            "fcTL", "fdAT",
        ].map(name))

    private static func name(_ text: String) -> Int { text.utf8.reduce(0) { $0 << 8 | Int($1) } }

    init(_ input: Bytes) throws(ImageFailure) {
        let bytes = input[...]
        guard ImageFormat(firstBytes: input) == .png else { throw .notAnImage }
        stripped.reserveCapacity(input.count)
        stripped += bytes.prefix(8)
        var place = 8
        var isFirst = true
        while let count = bytes.big32(place), let name = bytes.big32(place + 4) {
            guard count <= bytes.count - place - 12 else { throw .damaged }
            let chunk = bytes[place..<(place + 12 + count)]
            guard !isFirst || (name == Self.name("IHDR") && count == 13) else { throw .damaged }
            isFirst = false
            take(name, chunk)
            place += chunk.count
            if name == Self.name("IEND") { return }
        }
        throw .damaged
    }

    /// The chunk as it is to stand in another PNG.
    func profile(max: Int) -> Bytes? {
        guard let profile, profile.count <= max + 12 else { return nil }
        return Bytes(profile)
    }

    private mutating func take(_ name: Int, _ chunk: ArraySlice<UInt8>) {
        if Self.kept.contains(name) { stripped += chunk }
        switch name {
        case Self.name("eXIf"): orientation = ExifOrientation.read(chunk.dropFirst(8).dropLast(4))
        case Self.name("acTL"): isAnimated = true
        case Self.name("iCCP"):
            profile = chunk
            if chunk.count <= ImageFacts.profileBytesMax + 12 { stripped += chunk }
        default: break
        }
    }
}
