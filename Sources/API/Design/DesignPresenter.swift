// Values in design.md's clothes: `{success, data, meta}`, and `pagination` for lists.

import Accounts
import Base
import Wire

enum DesignPresenter {
    static func reply(_ call: Call, _ data: (inout JSONWriter) -> Void) -> Reply {
        var json = JSONWriter(capacity: 512)
        json.object { json in
            json.field("success", true)
            json.object("data", data)
            meta(call.context, into: &json)
        }
        return .json(json.bytes)
    }

    /// `hasNext` where a page is not counted from the first row.
    static func list(
        _ call: Call, _ page: NumberedPage, hasNext: Bool? = nil, _ elements: (inout JSONWriter) -> Void
    ) -> Reply {
        var json = JSONWriter(capacity: 4_096)
        json.object { json in
            json.field("success", true)
            json.array("data", elements)
            pagination(page, hasNext, into: &json)
            meta(call.context, into: &json)
        }
        return .json(json.bytes)
    }

    /// A value with a list in it that comes in pages.
    static func reply(_ call: Call, _ page: NumberedPage, _ data: (inout JSONWriter) -> Void) -> Reply {
        var json = JSONWriter(capacity: 4_096)
        json.object { json in
            json.field("success", true)
            json.object("data", data)
            pagination(page, nil, into: &json)
            meta(call.context, into: &json)
        }
        return .json(json.bytes)
    }

    /// All there are of something, which has a bound.
    static func reply<Value>(
        _ call: Call, of values: [Value], _ element: (Value, inout JSONWriter) -> Void
    ) -> Reply {
        var json = JSONWriter(capacity: 4_096)
        json.object { json in
            json.field("success", true)
            json.array("data") { json in
                for value in values { json.object { element(value, &$0) } }
            }
            meta(call.context, into: &json)
        }
        return .json(json.bytes)
    }

    private static func pagination(_ page: NumberedPage, _ hasNext: Bool?, into json: inout JSONWriter) {
        json.object("pagination") { json in
            json.field("page", page.number)
            json.field("per_page", page.size)
            json.field("total", page.total)
            json.field("total_pages", page.count)
            json.field("has_next", hasNext ?? (page.number < page.count))
            json.field("has_prev", page.number > 1)
        }
    }

    static func meta(_ context: EnvelopeContext, into json: inout JSONWriter) {
        json.object("meta") { json in
            json.field("timestamp", context.time)
            json.field("request_id", context.requestID)
        }
    }

    static func message(_ text: String, _ call: Call) -> Reply {
        reply(call) { json in json.field("message", text) }
    }

    static let messageEnvelope = envelope(.object([.required("message", .text)]))

    // MARK: Users

    /// What every user may see of another.
    static func publicUser(_ user: User, into json: inout JSONWriter) {
        json.field("id", user.id)
        json.field("username", user.username.exposed)
        json.field("display_name", user.displayName.exposed)
        json.field("avatar_url", user.avatarURL)
        json.field("public_key", user.publicKey)
        json.field("created_at", user.createdAt)
    }

    /// What the owner of an account and administrators see of it.
    static func ownUser(_ user: User, into json: inout JSONWriter) {
        publicUser(user, into: &json)
        json.field("email", user.email?.exposed)
        json.field("is_verified", user.isVerified)
        json.field("is_active", user.isActive)
        json.field("roles", user.roles.names)
        json.field("permissions", user.permissions)
        json.field("tier", user.tier.rawValue)
        json.field("preferences", JSONValue.object(user.preferences))
        json.field("updated_at", user.updatedAt)
        json.field("last_login", user.lastLogin)
    }

    static func tokens(
        _ access: Secret, _ lifetime: Duration, _ refresh: Secret, into json: inout JSONWriter
    ) {
        json.field("access_token", access.exposedText)
        json.field("refresh_token", refresh.exposedText)
        json.field("token_type", "bearer")
        json.field("expires_in", Int(lifetime.inSeconds))
    }

    private static let publicUserProperties: [Property] = [
        .required("id", .uuid), .required("username", .text), .required("display_name", .text),
        .required("avatar_url", .nullable(.text)), .required("public_key", .nullable(.text)),
        .required("created_at", .dateTime),
    ]
    static let publicUserSchema = Schema.named("DesignPublicUser", .object(publicUserProperties))
    private static let ownUserProperties: [Property] = [
        .required("email", .nullable(.text)), .required("is_verified", .boolean), .required("is_active", .boolean),
        .required("roles", .array(.text, limit: 16)), .required("permissions", .array(.text, limit: 64)),
        .required("tier", .text), .required("preferences", AccountFields.preferences),
        .required("updated_at", .dateTime), .required("last_login", .nullable(.dateTime)),
    ]
    static let ownUserSchema = Schema.named("DesignUser", .object(publicUserProperties + ownUserProperties))
    /// One user as the caller may see it: the owner and administrators see more than others.
    static let visibleUserSchema = Schema.named(
        "DesignVisibleUser",
        .object(publicUserProperties + ownUserProperties.map { .optional($0.name, $0.schema, $0.note) }))
    static let ownUserEnvelope = envelope(ownUserSchema)

    static let tokenProperties: [Property] = [
        .required("access_token", .text), .required("refresh_token", .text),
        .required("token_type", .choice(["bearer"])), .required("expires_in", .count),
    ]
    static let tokenSchema = Schema.object(tokenProperties)

    static let metaSchema = Schema.object([.required("timestamp", .dateTime), .required("request_id", .text)])

    static func envelope(_ data: Schema) -> Schema {
        .object([.required("success", .boolean), .required("data", data), .required("meta", metaSchema)])
    }

    static func listEnvelope(_ element: Schema) -> Schema {
        pagedEnvelope(.array(element, limit: NumberedPage.sizeMax))
    }

    static func pagedEnvelope(_ data: Schema) -> Schema {
        .object([
            .required("success", .boolean), .required("data", data),
            .required(
                "pagination",
                .object([
                    .required("page", .count), .required("per_page", .count), .required("total", .count),
                    .required("total_pages", .count), .required("has_next", .boolean), .required("has_prev", .boolean),
                ])),
            .required("meta", metaSchema),
        ])
    }
}

enum DesignRoutes {
    static let table = DialectTable(
        .design, DesignFormat(),
        auth + users + profiles + administration + settings + calls + presence + organizations + organizationMembers
            + channels + channelMembers + channelPermissions + messages + reactions + threads + directMessages
            + membership + invitations + reading + search + files + fileLinks + uploads + LiveRows.design + voice
            + SignalingRows.design)
}
