// Resumable uploads by tus 1.0; ours (docs/protocol/files.md).

import Accounts
import Base
import Chat
import Net
import Wire

extension DesignRoutes {
    static var uploads: [Route] {
        [
            .post(
                "/v1/files/uploads", .user, "Begin a resumable upload (tus 1.0)", status: .created, limit: .upload,
                body: .stream(contentType: Tus.contentType), answer: uploadEnvelope
            ) { call in try await begin(call) },
            .get("/v1/files/uploads/{id}", .user, "How far a resumable upload is; HEAD of tus", answer: uploadEnvelope)
            {
                call in
                try call.requireTus()
                let upload = try await call.files.upload(try uploadID(call), for: try call.principal)
                if upload.outcome == .ended { throw FileError.uploadOver }
                var answer = reply(upload, call)
                answer.headers.add("Cache-Control", "no-store")
                return answer
            },
            Route(
                method: .patch, path: "/v1/files/uploads/{id}", access: .user, status: .noContent, limit: .standard,
                query: [], body: .stream(contentType: Tus.contentType), answer: nil,
                summary: "Go on with a resumable upload"
            ) { call in
                try call.requireTus()
                try requireContentType(call)
                let offset = try call.byteCount("upload-offset", "Upload-Offset")
                let appended = try await call.append(to: try uploadID(call), at: offset)
                return Reply(headers: Tus.headers(of: appended.upload))
            },
            .delete("/v1/files/uploads/{id}", .user, "End a resumable upload") { call in
                try call.requireTus()
                try await call.files.endUpload(try uploadID(call), by: try call.principal)
                return .empty
            },
        ]
    }

    /// Bytes may come with it.
    private static func begin(_ call: Call) async throws -> Reply {
        try call.requireTus()
        let length = try call.byteCount("upload-length", "Upload-Length")
        var upload = try await call.files.beginUpload(try call.newUpload(), length: length, by: try call.principal)
        if call.request.body.length != 0, call.request.head.headers["content-type"] != nil {
            do {
                try requireContentType(call)
                upload = try await call.append(to: upload.id, at: 0).upload
            } catch {
                // Nobody has heard of it yet.
                try? await call.files.endUpload(upload.id, by: try call.principal)
                throw error
            }
        }
        var answer = reply(upload, call)
        answer.headers.add("Location", "\(try call.fileAccess.publicURL)\(Tus.root)/\(upload.id)")
        return answer
    }

    private static func requireContentType(_ call: Call) throws(RequestFault) {
        let type = call.request.head.headers["content-type"].flatMap { MediaType($0) }
        guard type?.essence == Tus.contentType else { throw .unsupportedMediaType(expected: Tus.contentType) }
    }

    private static func uploadID(_ call: Call) throws(FileError) -> FileUploadID {
        guard let id = FileUploadID(call.parameter("id")) else { throw .notFound(.upload) }
        return id
    }

    private static func reply(_ upload: ResumableUpload, _ call: Call) -> Reply {
        var answer = DesignPresenter.reply(call) { json in
            json.field("id", upload.id)
            json.field("length", upload.length)
            json.field("received", upload.received)
            json.field("expires_at", upload.expiresAt)
            json.field("file_id", file(of: upload))
        }
        answer.headers.append(Tus.headers(of: upload))
        return answer
    }

    private static func file(of upload: ResumableUpload) -> FileID? {
        if case .file(let id) = upload.outcome { id } else { nil }
    }

    private static let uploadEnvelope = DesignPresenter.envelope(
        .named(
            "DesignUpload",
            .object([
                .required("id", .uuid), .required("length", .count), .required("received", .count),
                .required("expires_at", .dateTime),
                .required("file_id", .nullable(.uuid), "What it became, when all has come"),
            ])))
}
