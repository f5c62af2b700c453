// design.md, "File Management", and the rows of ours beside it (docs/protocol/files.md).

import Accounts
import Base
import Chat
import Net
import Wire

extension DesignRoutes {
    static var files: [Route] {
        [
            .get(
                "/v1/files", .user, "Files that the caller may read, the newest first",
                query: NumberedPage.parameters(size: "per_page", default: 50) + [
                    Parameter("channel_id", .uuid, "Only those of this channel"),
                    Parameter("type", .choice(FileCategory.allCases.map(\.rawValue))),
                    Parameter("user_id", .uuid, "Only what this user has uploaded"),
                    Parameter("search", .text(1...100), "In the name"),
                ], answer: DesignPresenter.listEnvelope(DesignFilePresenter.fileSchema)
            ) { call in try await list(call) },
            .post(
                "/v1/files", .user, "Upload a file", status: .created, limit: .upload,
                body: .stream(contentType: "multipart/form-data"), answer: fileEnvelope
            ) { call in reply(try await call.receiveFile(place: "channel_id"), call, try call.fileAccess) },
            .get("/v1/files/{id}", .standing(.member), "What is known of a file", answer: fileEnvelope) { call in
                reply(try await call.files.file(try call.fileID(), for: try call.principal), call, try call.fileAccess)
            },
            .download("/v1/files/{id}/download", .standing(.member), "The content of a file") { call in
                let file = try await call.files.download(try call.fileID(), for: try call.principal)
                return try await Download(file, from: try call.files).reply(to: call)
            },
            .download("/v1/files/{id}/thumbnail", .standing(.member), "A small picture of a file") { call in
                let found = try await call.files.thumbnail(of: try call.fileID(), for: try call.principal)
                return try await Download(found.thumbnail, found.file, from: try call.files).reply(to: call)
            },
            .delete("/v1/files/{id}", .standing(.uploaderOrAdmin), "Delete a file") { call in
                try await call.files.delete(try call.fileID(), by: try call.principal, origin: call.origin)
                return .empty
            },
        ]
    }

    static var fileLinks: [Route] {
        [
            .post(
                "/v1/files/{id}/share", .standing(.member), "Make a link that reads a file", status: .created,
                body: .optionalJSON(
                    .object([
                        .optional(
                            "expires_in_hours", .nullable(.integer(1...100_000)), "Else for ever"),
                        .optional(
                            "max_downloads", .nullable(.integer(1...1_000_000)), "Else any number"),
                    ])), answer: DesignPresenter.envelope(DesignFilePresenter.newShareSchema)
            ) { call in
                let made = try await call.files.share(
                    try call.fileID(), lifetime: call.body["expires_in_hours"]?.integerValue.map { .hours(Int($0)) },
                    maxDownloads: call.body["max_downloads"]?.integerValue.map { Int($0) }, by: try call.principal)
                let url = try call.fileAccess.url(of: made)
                return DesignPresenter.reply(call) { json in
                    DesignFilePresenter.share(made.share, into: &json)
                    json.field("token", made.token.exposedText)
                    json.field("url", url)
                }
            },
            .get(
                "/v1/files/{id}/shares", .standing(.uploaderOrAdmin), "Good links of a file, the newest first",
                answer: DesignPresenter.envelope(.array(DesignFilePresenter.shareSchema, limit: 1_000))
            ) { call in
                let found = try await call.files.shares(of: try call.fileID(), by: try call.principal)
                return DesignPresenter.reply(call, of: found) { DesignFilePresenter.share($0, into: &$1) }
            },
            .delete("/v1/files/{id}/shares/{share_id}", .standing(.uploaderOrAdmin), "Revoke a link") { call in
                guard let share = FileShareID(call.parameter("share_id")) else { throw FileError.notFound(.link) }
                try await call.files.revoke(share, of: try call.fileID(), by: try call.principal)
                return .empty
            },
            .download("/v1/files/shared/{token}", .everyone, "The content of a file, by a link to it") { call in
                // A part from the middle is a player that goes on, not another download; a HEAD reads nothing.
                let range = call.request.head.headers["range"]
                let counts = call.request.head.method == .get && (range == nil || range?.hasPrefix("bytes=0-") == true)
                let file = try await call.files.shared(call.parameter("token"), counts: counts)
                return try await Download(file, from: try call.files).reply(to: call)
            },
        ]
    }

    // MARK: Operations

    private static func list(_ call: Call) async throws -> Reply {
        let page = NumberedPage(call, size: "per_page", default: 50)
        let filter = FileFilter(
            conversation: try call.queryReference("channel_id", or: .conversation),
            uploader: try call.queryReference("user_id", or: .user),
            category: call.queryText("type").flatMap(FileCategory.init(rawValue:)), search: call.queryText("search"),
            offset: page.offset, limit: page.size)
        let (found, access) = (try await call.files.files(filter, for: try call.principal), try call.fileAccess)
        return DesignPresenter.list(call, page.with(total: found.total)) { json in
            for file in found.items { json.object { DesignFilePresenter.file(file, access, into: &$0) } }
        }
    }

    private static let fileEnvelope = DesignPresenter.envelope(DesignFilePresenter.fileSchema)

    private static func reply(_ file: StoredFile, _ call: Call, _ access: FileAccess) -> Reply {
        DesignPresenter.reply(call) { DesignFilePresenter.file(file, access, into: &$0) }
    }
}
