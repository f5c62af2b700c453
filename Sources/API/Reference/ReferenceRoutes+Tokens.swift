// Service accounts, node tokens and tokens for scripts: manual.md names the kinds, no document has rows for making
// them. Administrators only.

import Accounts
import Base
import Wire

extension ReferenceRoutes {
    static var issuedTokens: [Route] {
        [
            .post(
                "/api/v1/admin/service-accounts", .admin, "Make an account for a service or a cluster node",
                status: .created, limit: .admin,
                body: .json(
                    .object([
                        .required("name", AccountFields.newUsername), .required("kind", .choice(["service", "node"])),
                        .required("scopes", scopeNames),
                    ])), answer: ReferencePresenter.userSchema
            ) { call in
                let account = try await call.accounts.createServiceAccount(
                    name: try call.text("name"), kind: try call.text("kind") == "node" ? .node : .service,
                    scopes: try scopes(call) ?? [], by: .principal(try call.principal), origin: call.origin)
                return ReferencePresenter.reply { json in ReferencePresenter.user(account, into: &json) }
            },
            .post(
                "/api/v1/admin/users/{user_id}/tokens", .admin, "Issue a token for an account; it is shown once",
                status: .created, limit: .admin,
                body: .optionalJSON(
                    .object([
                        .optional("scopes", scopeNames),
                        .optional(
                            "lifetime_seconds", .integer(60...31_536_000), "The kind's own where it is not given"),
                        .optional("label", .text(0...100)),
                    ])), answer: issuedSchema
            ) { call in
                let issued = try await call.accounts.issueToken(
                    for: try call.identifier("user_id"), scopes: try scopes(call),
                    lifetime: call.body["lifetime_seconds"]?.integerValue.map { Duration.seconds($0) },
                    label: call.optionalText("label") ?? "", by: .principal(try call.principal), origin: call.origin)
                return ReferencePresenter.reply { json in
                    json.field("token", issued.token.exposedText)
                    json.field("token_id", issued.session)
                    json.field("kind", issued.kind.rawValue)
                    json.field("scopes", issued.scopes.names)
                    json.field("expires_at", issued.expiresAt)
                }
            },
            .get(
                "/api/v1/admin/users/{user_id}/tokens", .admin, "Tokens and sessions of an account that still count",
                limit: .admin, answer: tokensSchema
            ) { call in
                let tokens = try await call.accounts.issuedTokens(
                    of: try call.identifier("user_id"), by: .principal(try call.principal))
                return ReferencePresenter.reply { json in
                    json.array("tokens") { json in
                        for token in tokens { json.object { json in self.token(token, into: &json) } }
                    }
                }
            },
            .delete("/api/v1/admin/tokens/{token_id}", .admin, "Revoke a token or end a session", limit: .admin) {
                call in
                try await call.accounts.revokeToken(
                    try call.identifier("token_id"), by: .principal(try call.principal), origin: call.origin)
                return .empty
            },
        ]
    }

    private static func token(_ token: TokenInfo, into json: inout JSONWriter) {
        json.field("token_id", token.session)
        json.field("kind", token.kind.rawValue)
        json.field("label", token.label)
        json.field("scopes", token.scopes.names)
        json.field("created_at", token.createdAt)
        json.field("expires_at", token.expiresAt)
    }

    private static func scopes(_ call: Call) throws(RequestFault) -> Scopes? {
        guard let names = call.body["scopes"]?.arrayValue else { return nil }
        var scopes: Scopes = []
        for (index, value) in names.enumerated() {
            guard let scope = value.stringValue.flatMap({ Scopes(name: $0) }) else {
                throw .validation(FieldFault("scopes[\(index)]", .value, "is not a scope"))
            }
            scopes.formUnion(scope)
        }
        return scopes
    }

    private static let scopeNames = Schema.array(.choice(Scopes.all.names), limit: 32)
    private static let issuedSchema = Schema.object([
        .required("token", .text), .required("token_id", .uuid), .required("kind", .text),
        .required("scopes", .array(.text, limit: 32)), .required("expires_at", .dateTime),
    ])
    private static let tokensSchema = Schema.object([
        .required(
            "tokens",
            .array(
                .object([
                    .required("token_id", .uuid), .required("kind", .text), .required("label", .text),
                    .required("scopes", .array(.text, limit: 32)), .required("created_at", .dateTime),
                    .required("expires_at", .dateTime),
                ]), limit: 10_000))
    ])
}
