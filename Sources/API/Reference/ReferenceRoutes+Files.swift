// reference.md, "File Management".

import Accounts
import Base
import Chat
import Wire

extension ReferenceRoutes {
    static var files: [Route] {
        [
            .post(
                "/api/v1/files/upload", .user, "Upload a file", status: .created, limit: .upload,
                body: .stream(contentType: "multipart/form-data"), answer: fileSchema
            ) { call in reply(try await call.receiveFile(place: "channel_id"), try call.fileAccess) },
            .get("/api/v1/files/{file_id}", .user, "What is known of a file", answer: fileSchema) { call in
                let file = try await call.files.file(try call.fileID("file_id"), for: try call.principal)
                return reply(file, try call.fileAccess)
            },
            .download("/api/v1/files/{file_id}/download", .user, "The content of a file") { call in
                let file = try await call.files.download(try call.fileID("file_id"), for: try call.principal)
                return try await Download(file, from: try call.files).reply(to: call)
            },
        ]
    }

    private static func reply(_ file: StoredFile, _ access: FileAccess) -> Reply {
        ReferencePresenter.reply { json in
            json.field("id", file.id)
            json.field("filename", file.name)
            json.field("original_filename", file.name)
            json.field("size", file.size)
            json.field("content_type", file.type)
            json.field("url", access.downloadURL(of: file))
            json.field("thumbnail_url", access.thumbnailURL(of: file))
            json.field("channel_id", file.conversation)
            json.field("uploaded_by", file.uploader)
            json.field("uploaded_at", file.createdAt)
            json.field("description", file.summary)
            json.field("is_public", file.isShared)
            json.field("virus_scan_status", file.scan.name)
            json.object("metadata") { json in
                if let pages = file.details.pages { json.field("pages", pages) }
                if let author = file.details.author { json.field("author", author) }
                if let title = file.details.title { json.field("title", title) }
                if let width = file.details.width { json.field("width", width) }
                if let height = file.details.height { json.field("height", height) }
            }
        }
    }

    private static let fileSchema = Schema.named(
        "ReferenceFile",
        .object([
            .required("id", .uuid), .required("filename", .text), .required("original_filename", .text),
            .required("size", .count), .required("content_type", .text), .required("url", .text),
            .required("thumbnail_url", .nullable(.text)), .required("channel_id", .nullable(.uuid)),
            .required("uploaded_by", .uuid), .required("uploaded_at", .dateTime),
            .required("description", .nullable(.text)), .required("is_public", .boolean),
            .required("virus_scan_status", .choice(FileScan.allCases.map(\.name))),
            .required(
                "metadata",
                .object([
                    .optional("pages", .count), .optional("author", .text), .optional("title", .text),
                    .optional("width", .count), .optional("height", .count),
                ])),
        ]))
}
