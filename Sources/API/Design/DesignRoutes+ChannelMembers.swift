// design.md, "Channels & Rooms": who is in a channel, and what its roles may do.

import Accounts
import Base
import Chat
import Wire

extension DesignRoutes {
    static var channelMembers: [Route] {
        [
            .get(
                "/v1/channels/{id}/members", .standing(.member), "Members of a channel, the highest rank first",
                query: listParameters, answer: DesignPresenter.listEnvelope(DesignChatPresenter.memberSchema)
            ) { call in
                let page = NumberedPage(call, size: "per_page", default: 50)
                let found = try await call.chat.members(
                    of: try call.conversationID(), offset: page.offset, limit: page.size, for: try call.principal)
                return DesignPresenter.list(call, page.with(total: found.total)) { json in
                    for entry in found.items { json.object { DesignChatPresenter.member(entry, into: &$0) } }
                }
            },
            .post(
                "/v1/channels/{id}/members", .standing(.moderator), "Add somebody to a channel", status: .created,
                body: .json(.object([.required("user_id", .uuid), .optional("role", ChatFields.roles)])),
                answer: DesignPresenter.envelope(DesignChatPresenter.memberSchema)
            ) { call in
                let entry = try await call.chat.addMember(
                    try call.person(named: "user_id"), to: try call.conversationID(),
                    role: call.optionalText("role").flatMap(MemberRole.init(name:)) ?? .member, by: try call.principal)
                return DesignPresenter.reply(call) { DesignChatPresenter.member(entry, into: &$0) }
            },
            .delete(
                "/v1/channels/{id}/members/{user_id}", .standing(.moderator),
                "Remove somebody from a channel and its call; oneself: leave"
            ) { call in
                let (user, principal): (UserID, Principal) = (try call.identifier("user_id"), try call.principal)
                if user == principal.user {
                    try await call.chat.leave(try call.conversationID(), by: principal)
                } else {
                    try await call.chat.removeMember(
                        user, from: try call.conversationID(), by: principal, origin: call.origin)
                }
                return .empty
            },
        ]
    }

    static var channelPermissions: [Route] {
        [
            .get(
                "/v1/channels/{id}/permissions", .standing(.member), "What roles and members may do in a channel",
                answer: permissionsEnvelope
            ) { call in
                reply(try await call.chat.permissions(of: try call.conversationID(), for: try call.principal), call)
            },
            .put(
                "/v1/channels/{id}/permissions", .standing(.owner),
                "Change what roles and members may do; what is not named stays, empty lists remove a rule",
                body: .json(
                    .object([
                        .optional(
                            "roles",
                            .array(
                                .object([.required("role", .choice(rolesWithRules.map(\.name)))] + ruleProperties),
                                limit: rolesWithRules.count)),
                        .optional(
                            "members", .array(.object([.required("user_id", .uuid)] + ruleProperties), limit: 1_000)),
                    ])), answer: permissionsEnvelope
            ) { call in
                reply(
                    try await call.chat.setPermissions(
                        try permissionChanges(call), of: try call.conversationID(), by: try call.principal,
                        origin: call.origin), call)
            },
        ]
    }

    /// Owners have everything, whatever rules say.
    private static let rolesWithRules = MemberRole.allCases.filter { $0 != .owner }

    private static let ruleProperties: [Property] = [
        .optional("allow", DesignChatPresenter.abilitySchema), .optional("deny", DesignChatPresenter.abilitySchema),
    ]

    private static func permissionChanges(_ call: Call) throws(ChatError) -> PermissionChanges {
        var changes = PermissionChanges()
        for value in call.body["roles"]?.arrayValue ?? [] {
            guard let role = value["role"]?.stringValue.flatMap({ MemberRole(name: $0) }) else { continue }
            changes.roles[role] = rule(value)
        }
        for value in call.body["members"]?.arrayValue ?? [] {
            guard let user: UserID = try call.reference(value["user_id"], or: .user) else { continue }
            changes.members[user] = rule(value)
        }
        return changes
    }

    private static func rule(_ value: JSONValue) -> PermissionRule {
        PermissionRule(allow: abilities(value["allow"]), deny: abilities(value["deny"]))
    }

    private static func abilities(_ value: JSONValue?) -> Abilities {
        (value?.arrayValue ?? []).reduce(into: []) { abilities, name in
            abilities.formUnion(name.stringValue.flatMap { Abilities(name: $0) } ?? [])
        }
    }

    // MARK: Answers

    private static func reply(_ permissions: ConversationPermissions, _ call: Call) -> Reply {
        DesignPresenter.reply(call) { json in
            json.field("channel_id", permissions.conversation)
            json.array("roles") { json in
                for role in MemberRole.allCases {
                    json.object { json in
                        json.field("role", role.name)
                        write(permissions.rules[role], into: &json)
                        json.field("permissions", permissions.abilities(of: role).names)
                    }
                }
            }
            json.array("members") { json in
                for (user, rule) in permissions.memberRules.sorted(by: { $0.key < $1.key }) {
                    json.object { json in
                        json.field("user_id", user)
                        write(rule, into: &json)
                    }
                }
            }
            json.field("own", permissions.own.names)
        }
    }

    private static func write(_ rule: PermissionRule, into json: inout JSONWriter) {
        json.field("allow", rule.allow.names)
        json.field("deny", rule.deny.names)
    }

    private static let shownRuleProperties: [Property] = [
        .required("allow", DesignChatPresenter.abilitySchema), .required("deny", DesignChatPresenter.abilitySchema),
    ]
    private static let permissionsEnvelope = DesignPresenter.envelope(
        .named(
            "DesignPermissions",
            .object([
                .required("channel_id", .uuid),
                .required(
                    "roles",
                    .array(
                        .object(
                            [.required("role", ChatFields.roles)] + shownRuleProperties + [
                                .required(
                                    "permissions", DesignChatPresenter.abilitySchema, "What the role comes to")
                            ]), limit: MemberRole.allCases.count), "All four"),
                .required(
                    "members",
                    .array(.object([.required("user_id", .uuid)] + shownRuleProperties), limit: 10_000),
                    "Those with a rule of their own"),
                .required("own", DesignChatPresenter.abilitySchema, "What the caller may do"),
            ])))
}
