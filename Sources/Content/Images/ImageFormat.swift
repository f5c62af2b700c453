// The formats of images that are read. Every one more is a decoder more that strangers can reach.

package enum ImageFormat: UInt8, Sendable, CaseIterable {
    case jpeg = 1
    case png = 2
    case gif = 3
    case webP = 4

    package var type: ContentType {
        switch self {
        case .jpeg: .jpeg
        case .png: .png
        case .gif: .gif
        case .webP: .webP
        }
    }

    package init?(_ type: ContentType) {
        guard let format = Self.allCases.first(where: { $0.type == type }) else { return nil }
        self = format
    }

    /// By the first bytes; `nil` when it is none of them.
    package init?(firstBytes bytes: some Collection<UInt8>) {
        if bytes.starts(with: [0xFF, 0xD8, 0xFF]) {
            self = .jpeg
        } else if bytes.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
            self = .png
        } else if bytes.starts(with: "GIF87a".utf8) || bytes.starts(with: "GIF89a".utf8) {
            self = .gif
        } else if bytes.starts(with: "RIFF".utf8), bytes.dropFirst(8).starts(with: "WEBP".utf8) {
            self = .webP
        } else {
            return nil
        }
    }
}
