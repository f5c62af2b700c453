// design.md, "User Management".

import Accounts
import Base
import Wire

extension DesignRoutes {
    static var users: [Route] {
        [
            .get(
                "/v1/users", .user, "List users", query: listParameters + [Parameter("search", .text(0...100))],
                answer: DesignPresenter.listEnvelope(DesignPresenter.publicUserSchema)
            ) { call in
                try await list(call, includesInactive: false) { user, json in
                    DesignPresenter.publicUser(user, into: &json)
                }
            },
            .get(
                "/v1/users/{id}", .user, "One user",
                answer: DesignPresenter.envelope(DesignPresenter.visibleUserSchema)
            ) { call in
                let caller = try call.principal
                let user = try await visible(try call.identifier("id"), to: caller, call)
                return DesignPresenter.reply(call) { json in
                    if caller.isAdmin || caller.user == user.id {
                        DesignPresenter.ownUser(user, into: &json)
                    } else {
                        DesignPresenter.publicUser(user, into: &json)
                    }
                }
            },
            .put(
                "/v1/users/{id}", .adminOrSelf(parameter: "id"), "Change a user",
                body: .json(.object(profileProperties + administratorProperties)),
                answer: DesignPresenter.ownUserEnvelope
            ) { call in
                let user = try await change(try call.identifier("id"), call)
                return DesignPresenter.reply(call) { json in DesignPresenter.ownUser(user, into: &json) }
            },
            .delete("/v1/users/{id}", .admin, "Delete a user") { call in
                let user: UserID = try call.identifier("id")
                try await call.accounts.deleteUser(user, by: .principal(try call.principal), origin: call.origin)
                await call.forgetInChat(user)
                return .empty
            },
        ]
    }

    static var profiles: [Route] {
        [
            .get(
                "/v1/users/{id}/profile", .user, "A user's public profile",
                answer: DesignPresenter.envelope(DesignPresenter.publicUserSchema)
            ) { call in
                let user = try await visible(try call.identifier("id"), to: try call.principal, call)
                return DesignPresenter.reply(call) { json in DesignPresenter.publicUser(user, into: &json) }
            },
            .put(
                "/v1/users/{id}/profile", .adminOrSelf(parameter: "id"), "Change a user's public profile",
                body: .json(
                    .object([
                        .optional("display_name", AccountFields.displayName),
                        .optional("avatar_url", .nullable(AccountFields.avatarURL)),
                        .optional("public_key", .nullable(AccountFields.publicKey)),
                    ])), answer: DesignPresenter.envelope(DesignPresenter.publicUserSchema)
            ) { call in
                var changes = call.profileChanges
                changes.email = nil
                changes.preferences = nil
                let user = try await call.accounts.updateProfile(
                    of: try call.identifier("id"), changes, by: .principal(try call.principal), origin: call.origin)
                return DesignPresenter.reply(call) { json in DesignPresenter.publicUser(user, into: &json) }
            },
        ]
    }

    static let listParameters = NumberedPage.parameters(size: "per_page", default: 50)

    /// What only an administrator may send along with a user's own fields.
    private static let administratorProperties: [Property] = [
        .optional("roles", AccountFields.roles), .optional("is_active", .boolean),
        .optional("tier", .choice(Tier.allCases.map(\.rawValue))),
    ]

    static func list(
        _ call: Call, includesInactive: Bool, role: Roles? = nil,
        _ element: (User, inout JSONWriter) -> Void
    ) async throws -> Reply {
        let page = NumberedPage(call, size: "per_page", default: 50)
        let filter = UserFilter(
            search: call.queryText("search"), role: role, includesInactive: includesInactive, offset: page.offset,
            limit: page.size)
        let found = try await call.accounts.users(filter, by: .principal(try call.principal))
        return DesignPresenter.list(call, page.with(total: found.total)) { json in
            for user in found.items { json.object { json in element(user, &json) } }
        }
    }

    /// Deactivated accounts, services and nodes are nobody's business but an administrator's, here as in lists.
    private static func visible(_ id: UserID, to caller: Principal, _ call: Call) async throws -> User {
        let user = try await call.accounts.user(id)
        guard caller.isAdmin || (user.isActive && user.kind == .person) else { throw AccountError.notFound }
        return user
    }

    private static func change(_ id: UserID, _ call: Call) async throws -> User {
        let caller = try call.principal
        let administers = ["roles", "is_active", "tier"].contains { call.mentions($0) }
        guard !administers || caller.isAdmin else { throw AccountError.forbidden(.administratorsOnly) }
        let changes = AccountChanges(
            profile: call.profileChanges,
            roles: try call.body["roles"]?.arrayValue.map { try Roles(names: $0, field: "roles") },
            tier: call.optionalText("tier").flatMap(Tier.init(rawValue:)), isActive: call.body["is_active"]?.boolValue)
        return try await call.accounts.change(id, changes, by: .principal(caller), origin: call.origin)
    }
}
