// reference.md, "API Keys": the document's row for making one, and ours for seeing and revoking them.

import Accounts
import Base
import Wire

extension ReferenceRoutes {
    static var apiKeys: [Route] {
        [
            .post(
                "/api/v1/auth/api-keys", .user, "Make an API key; it is shown once", status: .created,
                body: .json(
                    .object([
                        .required("name", .text(Validation.keyNameLength)),
                        .optional("permissions", .array(.text(1...64), limit: 32)),
                        .optional("expires_at", .nullable(.dateTime)),
                    ])), answer: newKeySchema
            ) { call in
                let made = try await call.accounts.createAPIKey(
                    try call.principal, name: try call.text("name"),
                    permissions: (call.body["permissions"]?.arrayValue ?? []).compactMap(\.stringValue),
                    expiresAt: call.optionalText("expires_at").flatMap { Timestamp(rfc3339: $0) },
                    origin: call.origin)
                return ReferencePresenter.reply { json in
                    json.field("key", made.token.exposedText)
                    key(made.key, into: &json)
                }
            },
            .get("/api/v1/auth/api-keys", .user, "The caller's API keys", answer: keysSchema) { call in
                let keys = try await call.accounts.apiKeys(try call.principal)
                return ReferencePresenter.reply { json in
                    json.array("api_keys") { json in
                        for item in keys { json.object { json in key(item, into: &json) } }
                    }
                }
            },
            .delete("/api/v1/auth/api-keys/{key_id}", .user, "Revoke an API key") { call in
                try await call.accounts.revokeAPIKey(
                    try call.identifier("key_id"), try call.principal, origin: call.origin)
                return .empty
            },
        ]
    }

    private static func key(_ key: APIKey, into json: inout JSONWriter) {
        json.field("id", key.id)
        json.field("name", key.name)
        json.field("hint", key.hint)
        json.field("permissions", key.permissions)
        json.field("created_at", key.createdAt)
        json.field("expires_at", key.expiresAt)
        json.field("last_used_at", key.lastUsedAt)
        json.field("revoked_at", key.revokedAt)
    }

    private static let keyProperties: [Property] = [
        .required("id", .uuid), .required("name", .text), .required("hint", .text),
        .required("permissions", .array(.text, limit: 32)), .required("created_at", .dateTime),
        .required("expires_at", .nullable(.dateTime)), .required("last_used_at", .nullable(.dateTime)),
        .required("revoked_at", .nullable(.dateTime)),
    ]
    private static let newKeySchema = Schema.object([.required("key", .text)] + keyProperties)
    private static let keysSchema = Schema.object([
        .required("api_keys", .array(.named("ReferenceAPIKey", .object(keyProperties)), limit: 10_000))
    ])
}
