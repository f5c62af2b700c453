// JPEG (ITU-T T.81, annex B) segment by segment.
//
//     FF D8 | FF <marker> <length, 2 bytes, itself included> <content> … | FF DA <header> <coded data> … | FF D9
//
// In coded data FF is followed by 00, by a restart marker, or by the next segment's marker.

import Base

struct JPEGSegments {
    private(set) var orientation = Orientation.upright
    /// What is left when all metadata is gone.
    private(set) var stripped: Bytes = [0xFF, 0xD8]
    /// The pieces of the ICC profile as they came: the whole segments.
    private var profiles: [ArraySlice<UInt8>] = []

    private static let exif = Bytes("Exif\0\0".utf8)
    private static let icc = Bytes("ICC_PROFILE\0".utf8)

    /// Any number of segments would be read; no encoder writes more.
    private static let segmentsMax = 4_096

    /// With `headOnly` up to the coded data, where everything that is noted stands; `stripped` is then no image.
    init(_ input: Bytes, headOnly: Bool = false) throws(ImageFailure) {
        let bytes = input[...]
        guard bytes.starts(with: [0xFF, 0xD8]) else { throw .notAnImage }
        if !headOnly { stripped.reserveCapacity(input.count) }
        var place = 2
        for _ in 0..<Self.segmentsMax {
            let marker = try Self.marker(bytes, &place)
            if marker == 0xD9 {
                stripped += [0xFF, 0xD9]
                return
            }
            // Markers without content have no business between segments.
            guard !(0xD0...0xD8).contains(marker), marker > 0x01, let count = bytes.big16(place), count >= 2,
                place + count <= bytes.count
            else { throw .damaged }
            let content = bytes[(place + 2)..<(place + count)]
            note(marker, content)
            keep(marker, content)
            place += count
            guard marker == 0xDA else { continue }
            if headOnly { return }
            try copyCoded(bytes, &place)
        }
        throw .damaged
    }

    /// A profile of one piece, without the segment's header.
    func profile(max: Int) -> Bytes? {
        guard profiles.count == 1, let content = profiles.first, content.byte(12) == 1, content.byte(13) == 1 else {
            return nil
        }
        let profile = content.dropFirst(14)
        return profile.isEmpty || profile.count > max ? nil : Bytes(profile)
    }

    private static func marker(_ bytes: ArraySlice<UInt8>, _ place: inout Int) throws(ImageFailure) -> UInt8 {
        guard bytes.byte(place) == 0xFF else { throw .damaged }
        // Any number of FF may fill up.
        while bytes.byte(place) == 0xFF { place += 1 }
        guard let marker = bytes.byte(place), marker != 0 else { throw .damaged }
        place += 1
        return marker
    }

    private mutating func note(_ marker: UInt8, _ content: ArraySlice<UInt8>) {
        // The first of several counts, as in browsers.
        if marker == 0xE1, content.starts(with: Self.exif), orientation == .upright {
            orientation = ExifOrientation.read(content.dropFirst(Self.exif.count))
        }
        if marker == 0xE2, content.starts(with: Self.icc) { profiles.append(content) }
    }

    private mutating func keep(_ marker: UInt8, _ content: ArraySlice<UInt8>) {
        switch marker {
        case 0xE0:
            // JFIF's density, without its preview.
            guard content.has("JFIF\0"), content.count >= 14 else { return }
            append(marker, Bytes(content.prefix(12)) + [0, 0])
        case 0xE2:
            let isSmall = content.count <= ImageFacts.profileBytesMax + 14
            if content.starts(with: Self.icc), content.byte(12) == 1, content.byte(13) == 1, isSmall {
                append(marker, Bytes(content))
            }
        case 0xEE:
            // Adobe's says what the colours are.
            if content.has("Adobe") { append(marker, Bytes(content.prefix(12))) }
        case 0xC0...0xCF, 0xDA...0xDF: append(marker, Bytes(content))
        default: break
        }
    }

    private mutating func append(_ marker: UInt8, _ content: Bytes) {
        let count = content.count + 2
        stripped += [0xFF, marker, UInt8(count >> 8), UInt8(count & 0xFF)] + content
    }

    private mutating func copyCoded(_ bytes: ArraySlice<UInt8>, _ place: inout Int) throws(ImageFailure) {
        let start = place
        while let found = bytes[place...].firstIndex(of: 0xFF) {
            guard let next = bytes.byte(found + 1) else { throw .damaged }
            let isData = next == 0 || (0xD0...0xD7).contains(next)
            guard isData else {
                stripped += bytes[start..<found]
                place = found
                return
            }
            place = found + 2
        }
        throw .damaged
    }
}
