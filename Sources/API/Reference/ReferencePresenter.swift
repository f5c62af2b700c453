// Values in reference.md's clothes: bare objects.

import Accounts
import Base
import Wire

enum ReferencePresenter {
    static func reply(_ value: (inout JSONWriter) -> Void) -> Reply {
        var json = JSONWriter(capacity: 512)
        json.object(value)
        return .json(json.bytes)
    }

    static func message(_ text: String) -> Reply { reply { json in json.field("message", text) } }

    static func tokens(_ tokens: SessionTokens) -> Reply {
        reply { json in
            json.field("access_token", tokens.accessToken.exposedText)
            json.field("token_type", "bearer")
            json.field("expires_in", Int(tokens.accessLifetime.inSeconds))
            json.field("refresh_token", tokens.refreshToken.exposedText)
        }
    }

    static func tokens(_ refreshed: Refreshed) -> Reply {
        reply { json in
            json.field("access_token", refreshed.accessToken.exposedText)
            json.field("token_type", "bearer")
            json.field("expires_in", Int(refreshed.accessLifetime.inSeconds))
            json.field("refresh_token", refreshed.refreshToken.exposedText)
        }
    }

    /// The document's own shape for the half of a login, unlike its other errors.
    static func mfaRequired(_ challenge: MFAChallenge) -> Reply {
        var reply = reply { json in
            json.field("error", "mfa_required")
            json.field("message", "Multi-factor authentication required")
            json.field("mfa_methods", challenge.methods.map(\.rawValue))
            json.field("temp_token", challenge.temporaryToken.exposedText)
            json.field("expires_at", challenge.expiresAt)
        }
        reply.status = .unauthorized
        return reply
    }

    static func user(_ user: User, into json: inout JSONWriter) {
        json.field("id", user.id)
        json.field("username", user.username.exposed)
        json.field("email", user.email?.exposed)
        json.field("display_name", user.displayName.exposed)
        json.field("avatar_url", user.avatarURL)
        json.field("roles", user.roles.names)
        json.field("permissions", user.permissions)
        json.field("created_at", user.createdAt)
        json.field("last_login", user.lastLogin)
        json.field("is_active", user.isActive)
        json.field("preferences", JSONValue.object(user.preferences))
    }

    static func users(_ users: [User], _ page: NumberedPage) -> Reply {
        reply { json in
            json.array("users") { json in
                for user in users { json.object { json in Self.user(user, into: &json) } }
            }
            json.object("pagination") { json in
                json.field("page", page.number)
                json.field("limit", page.size)
                json.field("total_count", page.total)
                json.field("has_more", page.number < page.count)
            }
        }
    }

    static let tokenSchema = Schema.named(
        "ReferenceTokens",
        .object([
            .required("access_token", .text), .required("token_type", .choice(["bearer"])),
            .required("expires_in", .count), .required("refresh_token", .text),
        ]))

    static let userSchema = Schema.named(
        "ReferenceUser",
        .object([
            .required("id", .uuid), .required("username", .text), .required("email", .nullable(.text)),
            .required("display_name", .text), .required("avatar_url", .nullable(.text)),
            .required("roles", .array(.text, limit: 16)), .required("permissions", .array(.text, limit: 64)),
            .required("created_at", .dateTime), .required("last_login", .nullable(.dateTime)),
            .required("is_active", .boolean), .required("preferences", AccountFields.preferences),
        ]))

    static let usersSchema = Schema.object([
        .required("users", .array(userSchema, limit: NumberedPage.sizeMax)),
        .required(
            "pagination",
            .object([
                .required("page", .count), .required("limit", .count), .required("total_count", .count),
                .required("has_more", .boolean),
            ])),
    ])

    static let messageSchema = Schema.object([.required("message", .text)])
}

enum ReferenceRoutes {
    static let table = DialectTable(
        .reference, ReferenceFormat(),
        auth + apiKeys + sessions + secondFactors + passkeys + issuedTokens + users + messages + files + administration
            + backup + documentation + export + LiveRows.shared)
}
