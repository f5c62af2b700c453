// Files as values. docs/chat/files.md says what they are.

import Accounts
package import Base
package import Store

package enum FileKind: IdentifierKind { package static let prefix = "file" }
package typealias FileID = Identifier<FileKind>

package enum FileShareKind: IdentifierKind { package static let prefix = "share" }
package typealias FileShareID = Identifier<FileShareKind>

package enum FileUploadKind: IdentifierKind { package static let prefix = "upload" }
package typealias FileUploadID = Identifier<FileUploadKind>

/// What is known of viruses in a file. Stored by number.
package enum FileScan: Int64, Sendable, CaseIterable {
    /// The scanner was away; it will be made up for.
    case pending = 0
    case clean = 1
    case infected = 2
    /// Not scanned, and will not be: sealed, or there is no scanner.
    case skipped = 3

    package var name: String { "\(self)" }
}

/// What the content says of itself.
package struct FileDetails: Sendable, Equatable {
    package var width: Int?
    package var height: Int?
    package var pages: Int?
    package var title: String?
    package var author: String?

    package init(
        width: Int? = nil, height: Int? = nil, pages: Int? = nil, title: String? = nil, author: String? = nil
    ) {
        self.width = width
        self.height = height
        self.pages = pages
        self.title = title
        self.author = author
    }
}

package struct FileThumbnail: Sendable, Equatable {
    package let type: String
    package let size: Int64
    package let key: BlobKey
}

package struct StoredFile: Sendable, Equatable {
    package let id: FileID
    package let uploader: UserID
    /// `nil`: its uploader's alone, and of who reads a message that holds it.
    package let conversation: ConversationID?
    package let name: String
    package let summary: String?
    /// A media type, told by the content.
    package let type: String
    package let size: Int64
    /// Of the content; its SHA-256.
    package let key: BlobKey
    package let isSealed: Bool
    package let scan: FileScan
    package let details: FileDetails
    package let thumbnail: FileThumbnail?
    /// A link to it is good.
    package let isShared: Bool
    package let createdAt: Timestamp

    /// How a message's attachment names it.
    package var storage: String { Self.storagePrefix + id.description }

    /// The file that an attachment names; `nil` for what is the client's own.
    static func named(byStorage text: String) -> FileID? {
        guard text.hasPrefix(storagePrefix) else { return nil }
        return FileID(text.dropFirst(storagePrefix.count))
    }

    private static let storagePrefix = "file_"

    /// A browser may show it in its place: it runs nothing.
    package var isHarmless: Bool { !isSealed && FileCategory.mayShowInline(type) }
}

/// What a list is filtered by.
package enum FileCategory: String, Sendable, CaseIterable {
    case image, audio, video, document, other

    /// Types that browsers show without running anything. What the content is was looked at, not believed.
    private static let shown: Set<String> = [
        "image/jpeg", "image/png", "image/gif", "image/webp", "image/avif", "image/bmp",
        "audio/mpeg", "audio/aac", "audio/flac", "audio/wav", "audio/ogg", "audio/mp4", "audio/webm",
        "video/mp4", "video/webm", "video/ogg", "video/quicktime",
        "text/plain",
    ]

    static func mayShowInline(_ type: String) -> Bool { shown.contains(type) }
}

/// A file that somebody sends, beside its content.
package struct NewFile: Sendable {
    /// As the client has it; made safe.
    package var name: String?
    package var declaredType: String?
    package var summary: String?
    package var conversation: ConversationID?
    package var isSealed: Bool

    package init(
        name: String? = nil, declaredType: String? = nil, summary: String? = nil, conversation: ConversationID? = nil,
        isSealed: Bool = false
    ) {
        self.name = name
        self.declaredType = declaredType
        self.summary = summary
        self.conversation = conversation
        self.isSealed = isSealed
    }
}

package struct FileFilter: Sendable {
    package var conversation: ConversationID?
    package var uploader: UserID?
    package var category: FileCategory?
    /// In the name, in any case.
    package var search: String?
    package var offset: Int
    package var limit: Int

    package init(
        conversation: ConversationID? = nil, uploader: UserID? = nil, category: FileCategory? = nil,
        search: String? = nil, offset: Int = 0, limit: Int
    ) {
        self.conversation = conversation
        self.uploader = uploader
        self.category = category
        self.search = search
        self.offset = offset
        self.limit = limit
    }
}

package struct FileShare: Sendable, Equatable {
    package let id: FileShareID
    package let file: FileID
    package let createdBy: UserID
    package let expiresAt: Timestamp?
    package let maxDownloads: Int?
    package let downloads: Int
    package let createdAt: Timestamp
}

package struct NewFileShare: Sendable {
    package let share: FileShare
    /// Shown once.
    package let token: Secret
}
