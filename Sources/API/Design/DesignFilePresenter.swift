// Files in design.md's clothes. The document gives their rows and no bodies: these are ours (docs/protocol/files.md).

import Base
import Chat
import Store
import Wire

enum DesignFilePresenter {
    static func file(_ file: StoredFile, _ access: FileAccess, into json: inout JSONWriter) {
        json.field("id", file.id)
        json.field("name", file.name)
        json.field("type", file.type)
        json.field("size", file.size)
        json.field("sha256", file.key.description)
        json.field("channel_id", file.conversation)
        json.field("uploaded_by", file.uploader)
        json.field("description", file.summary)
        json.field("is_encrypted", file.isSealed)
        json.field("is_public", file.isShared)
        json.field("virus_scan_status", file.scan.name)
        json.field("width", file.details.width)
        json.field("height", file.details.height)
        json.field("pages", file.details.pages)
        json.field("title", file.details.title)
        json.field("author", file.details.author)
        json.field("url", "\(access.publicURL)/v1/files/\(file.id)/download")
        json.field("thumbnail_url", access.thumbnailURL(of: file))
        json.field("storage_id", file.storage)
        json.field("created_at", file.createdAt)
    }

    static let fileSchema = Schema.named(
        "DesignFile",
        .object([
            .required("id", .uuid), .required("name", .text), .required("type", .text, "Told by the content"),
            .required("size", .count), .required("sha256", .text(64...64)),
            .required("channel_id", .nullable(.uuid)), .required("uploaded_by", .uuid),
            .required("description", .nullable(.text)),
            .required("is_encrypted", .boolean, "By its sender: opaque to the server"),
            .required("is_public", .boolean, "There is a good link to it"),
            .required("virus_scan_status", .choice(FileScan.allCases.map(\.name))),
            .required("width", .nullable(.count)), .required("height", .nullable(.count)),
            .required("pages", .nullable(.count)), .required("title", .nullable(.text)),
            .required("author", .nullable(.text)), .required("url", .text),
            .required("thumbnail_url", .nullable(.text)),
            .required("storage_id", .text, "What attachments of messages name it by"),
            .required("created_at", .dateTime),
        ]))

    // MARK: Links

    static func share(_ share: FileShare, into json: inout JSONWriter) {
        json.field("id", share.id)
        json.field("file_id", share.file)
        json.field("created_by", share.createdBy)
        json.field("expires_at", share.expiresAt)
        json.field("max_downloads", share.maxDownloads)
        json.field("downloads", share.downloads)
        json.field("created_at", share.createdAt)
    }

    private static let shareProperties: [Property] = [
        .required("id", .uuid), .required("file_id", .uuid), .required("created_by", .uuid),
        .required("expires_at", .nullable(.dateTime)), .required("max_downloads", .nullable(.count)),
        .required("downloads", .count), .required("created_at", .dateTime),
    ]

    static let shareSchema = Schema.named("DesignFileShare", .object(shareProperties))

    static let newShareSchema = Schema.object(
        shareProperties + [
            .required("token", .text, "Shown once"),
            .required("url", .text, "Whoever has it reads the file, while it is good"),
        ])
}
