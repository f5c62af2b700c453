// Values in rooms.md's clothes: `{success, data, message}`.

import Accounts
import Base
import Wire

enum RoomsPresenter {
    /// An answer with data; `message` where the document has one.
    static func reply(
        message: String? = nil, status: HTTPStatus? = nil, _ data: (inout JSONWriter) -> Void
    ) -> Reply {
        var json = JSONWriter(capacity: 512)
        json.object { json in
            json.field("success", true)
            json.object("data", data)
            if let message { json.field("message", message) }
        }
        var reply = Reply.json(json.bytes)
        reply.status = status
        return reply
    }

    /// An answer that only says that it was done.
    static func done(_ message: String) -> Reply {
        var json = JSONWriter()
        json.object { json in
            json.field("success", true)
            json.field("message", message)
        }
        return .json(json.bytes)
    }

    static func registeredUser(_ user: User, into json: inout JSONWriter) {
        json.field("id", user.id)
        json.field("username", user.username.exposed)
        json.field("email", user.email?.exposed)
        json.field("display_name", user.displayName.exposed)
        json.field("avatar_url", user.avatarURL)
        json.field("is_verified", user.isVerified)
        json.field("created_at", user.createdAt)
    }

    static func loggedInUser(_ user: User, into json: inout JSONWriter) {
        json.field("id", user.id)
        json.field("username", user.username.exposed)
        json.field("display_name", user.displayName.exposed)
        json.field("avatar_url", user.avatarURL)
        json.field("last_login", user.lastLogin)
    }

    static func profile(_ user: User, into json: inout JSONWriter) {
        json.field("id", user.id)
        json.field("username", user.username.exposed)
        json.field("email", user.email?.exposed)
        json.field("display_name", user.displayName.exposed)
        json.field("avatar_url", user.avatarURL)
        json.field("public_key", user.publicKey)
        json.field("is_verified", user.isVerified)
        json.field("created_at", user.createdAt)
        json.field("last_login", user.lastLogin)
    }

    static func tokens(_ tokens: SessionTokens, into json: inout JSONWriter) {
        json.field("access_token", tokens.accessToken.exposedText)
        json.field("refresh_token", tokens.refreshToken.exposedText)
        json.field("expires_in", Int(tokens.accessLifetime.inSeconds))
    }

    static func envelope(_ data: Schema) -> Schema {
        .object([.required("success", .boolean), .required("data", data), .optional("message", .text)])
    }

    static let doneEnvelope = Schema.object([.required("success", .boolean), .required("message", .text)])
}

enum RoomsRoutes {
    static let table = DialectTable(
        .rooms, RoomsFormat(), auth + users + avatars + chatrooms + invitations + messages + summaries + files + health)
}
