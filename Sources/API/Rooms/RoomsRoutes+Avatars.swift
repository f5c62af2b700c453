// rooms.md, "POST /users/me/avatar", and two rows of ours: taking a picture away, and showing it.

import Accounts
import Base
import Net
import Store
import Wire

extension RoomsRoutes {
    static var avatars: [Route] {
        [
            .post(
                "/users/me/avatar", .user, "Upload a picture of the caller", status: .ok, limit: .upload,
                body: .stream(contentType: "multipart/form-data"), answer: profileEnvelope
            ) { call in
                let avatars = try call.avatars
                let file = try await receivePicture(FileForm(call.request))
                return profile(try await avatars.set(file, of: try call.principal, origin: call.origin))
            },
            .delete("/users/me/avatar", .user, "Take the caller's picture away") { call in
                _ = try await call.avatars.clear(of: try call.principal, origin: call.origin)
                return .empty
            },
            // Images of a page bring no token with them: whoever knows the address may see it.
            .download("/users/avatars/{avatar}", .everyone, "The picture of a user") { call in
                guard let id = UUID(call.parameter("avatar")) else { throw AvatarError.notFound }
                let avatars = try call.avatars
                return try await Download(try await avatars.avatar(id), from: avatars).reply(to: call)
            },
        ]
    }

    /// Whole: it is small, and a picture is made of it at once.
    private static func receivePicture(_ form: FileForm) async throws -> Bytes {
        try await form.findFile()
        guard form.fileSizes.lowerBound <= Int64(AvatarService.bytesMax) else {
            throw AvatarError.tooLarge(limit: AvatarService.bytesMax)
        }
        var file = Bytes()
        while let piece = try await form.nextBytes() {
            guard file.count + piece.count <= AvatarService.bytesMax else {
                throw AvatarError.tooLarge(limit: AvatarService.bytesMax)
            }
            file += piece
        }
        try await form.finish()
        return file
    }
}

extension Call {
    fileprivate var avatars: AvatarService {
        get throws(RequestFault) {
            guard let avatars = services.files?.avatars else {
                throw .unavailable(reason: "This server keeps no pictures", retryAfter: 60)
            }
            return avatars
        }
    }
}

extension Download {
    fileprivate init(_ avatar: Avatar, from service: AvatarService) {
        name = "avatar"
        type = avatar.type
        length = avatar.size
        isInline = true
        validators = Validators(entityTag: EntityTag(opaque: avatar.key.description), lastModified: avatar.createdAt)
        open = { range in try await service.content(of: avatar, range) }
    }
}

extension AvatarError {
    /// In rooms.md's words.
    func problem(_ of: (AccountError) -> Problem) -> Problem {
        switch self {
        case .notFound: Problem(.notFound, "RESOURCE_NOT_FOUND", "There is no such picture")
        case .tooLarge(let limit):
            Problem(
                .contentTooLarge, "FILE_TOO_LARGE", "The file is larger than \(limit) bytes",
                details: JSONObject([("limit_bytes", .integer(Int64(limit)))]))
        case .empty: Problem(.unprocessableContent, "FILE_UPLOAD_FAILED", "The file has no content")
        case .notAnImage(let type):
            Problem(
                .unsupportedMediaType, "FILE_TYPE_NOT_ALLOWED", "A picture is a JPEG, PNG, GIF or WebP",
                details: JSONObject([("type", .string(type))]))
        case .unreadable(let reason):
            Problem(.unprocessableContent, "FILE_UPLOAD_FAILED", "The picture cannot be read: \(reason)")
        case .infected: Problem(.unprocessableContent, "VIRUS_DETECTED", "The file is infected")
        case .inProgress:
            Problem(.conflict, "FILE_UPLOAD_FAILED", "Another picture is being made; try again", retryAfter: 1)
        case .unavailable, .ledger:
            Problem(
                .serviceUnavailable, "FILE_UPLOAD_FAILED", "Pictures cannot be made or kept at the moment",
                retryAfter: 60)
        case .account(let error): of(error)
        case .store(let error): of(.store(error))
        }
    }
}
