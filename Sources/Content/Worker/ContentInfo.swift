// What workers find out, as the rest of the server sees it.

package import Base

/// Where the bytes come from.
package enum ImageSource: Sendable {
    case bytes(Bytes)
    /// An open file, read from its beginning whatever its offset. It stays the caller's, who keeps it open meanwhile.
    case descriptor(Int32)
}

package struct ImageInfo: Hashable, Sendable {
    package let format: ImageFormat
    /// As it is to be shown, that is after its orientation was applied.
    package let width: Int
    package let height: Int
    /// Pixels may be transparent.
    package let hasAlpha: Bool
    package let isAnimated: Bool
    /// EXIF's number, 1 to 8; 1 is upright.
    package let orientation: Int
}

/// A new image, made here.
package struct MadeImage: Hashable, Sendable {
    package let bytes: Bytes
    package let format: ImageFormat
    package let width: Int
    package let height: Int
}

/// The largest thumbnail that is wanted; the image keeps its proportions and is never made larger.
package struct ImageBox: Hashable, Sendable {
    package static let sideMax = 4_096

    package let width: Int
    package let height: Int

    /// Sides from 1 to `sideMax`; others are brought there.
    package init(width: Int, height: Int) {
        self.width = min(max(width, 1), Self.sideMax)
        self.height = min(max(height, 1), Self.sideMax)
    }

    /// The size within the box of an image of this size: at least 1 by 1.
    func fitting(width: Int, height: Int) -> (width: Int, height: Int) {
        guard width > self.width || height > self.height else { return (width, height) }
        if width * self.height > height * self.width {
            return (self.width, max(1, (height * self.width + width / 2) / width))
        }
        return (max(1, (width * self.height + height / 2) / height), self.height)
    }
}

package struct DocumentInfo: Hashable, Sendable {
    /// Bytes of UTF-8 of a title or an author.
    package static let textBytesMax = 1_024
    package static let pagesMax = 1_000_000

    package var pages: Int?
    package var title: String?
    package var author: String?
    /// Encrypted: its texts cannot be read without a password.
    package var isEncrypted = false

    package init(pages: Int? = nil, title: String? = nil, author: String? = nil, isEncrypted: Bool = false) {
        self.pages = pages
        self.title = title
        self.author = author
        self.isEncrypted = isEncrypted
    }
}
