// Beside design.md's rows: coming in, roles, silence, and what becomes of invitations. Ours (docs/protocol/chat.md).

import Accounts
import Base
import Chat
import Wire

extension DesignRoutes {
    static var membership: [Route] {
        [
            .post(
                "/v1/channels/{id}/join", .user, "Come into a public channel", answer: channelEnvelope
            ) { call in
                reply(try await call.chat.join(try call.conversationID(), by: try call.principal), call)
            },
            .put(
                "/v1/channels/{id}/mute", .standing(.member), "Be told nothing of a channel, or be told again",
                body: .json(.object([.required("is_muted", .boolean)])), answer: channelEnvelope
            ) { call in
                let (id, principal) = (try call.conversationID(), try call.principal)
                _ = try await call.chat.setMuted(call.body["is_muted"]?.boolValue ?? false, in: id, by: principal)
                return reply(try await call.chat.conversation(id, for: principal), call)
            },
            .put(
                "/v1/channels/{id}/members/{user_id}", .standing(.admin),
                "Give a member another role; an owner may make others owners",
                body: .json(.object([.required("role", ChatFields.roles)])),
                answer: DesignPresenter.envelope(DesignChatPresenter.memberSchema)
            ) { call in
                let entry = try await call.chat.setRole(
                    try role(call), of: try call.identifier("user_id"), in: try call.conversationID(),
                    by: try call.principal, origin: call.origin)
                return DesignPresenter.reply(call) { DesignChatPresenter.member(entry, into: &$0) }
            },
            .put(
                "/v1/organizations/{id}/members/{user_id}", .standing(.organizationAdmin),
                "Give a member of an organization another role",
                body: .json(.object([.required("role", ChatFields.roles)])),
                answer: DesignPresenter.envelope(organizationMemberSchema)
            ) { call in
                let member = try await call.chat.setOrganizationRole(
                    try role(call), of: try call.identifier("user_id"), in: try call.identifier("id"),
                    by: try call.principal, origin: call.origin)
                return DesignPresenter.reply(call) { write(member, into: &$0) }
            },
        ]
    }

    static var invitations: [Route] {
        [
            .get(
                "/v1/channels/{id}/invitations", .standing(.moderator), "Invitations that are still good",
                answer: DesignPresenter.envelope(.array(invitationSchema, limit: 1_000))
            ) { call in
                let found = try await call.chat.invitations(
                    to: try call.conversationID(), for: try call.principal)
                return DesignPresenter.reply(call, of: found) { write($0, into: &$1) }
            },
            .delete(
                "/v1/invitations/{id}", .standing(.moderator), "Revoke an invitation; also whoever made it"
            ) { call in
                try await call.chat.revoke(try call.identifier("id"), by: try call.principal)
                return .empty
            },
        ]
    }

    /// The schema has been checked, so that it is one.
    private static func role(_ call: Call) throws -> MemberRole {
        guard let role = MemberRole(name: try call.text("role")) else {
            throw FieldFault("role", .value, "is no role")
        }
        return role
    }

    /// Without the code: it was told once, to whoever made it.
    private static func write(_ invitation: Invitation, into json: inout JSONWriter) {
        json.field("id", invitation.id)
        json.field("channel_id", invitation.conversation)
        json.field("created_by", invitation.createdBy)
        json.field("max_uses", invitation.maxUses)
        json.field("current_uses", invitation.uses)
        json.field("expires_at", invitation.expiresAt)
        json.field("created_at", invitation.createdAt)
    }

    private static let invitationSchema = Schema.named(
        "DesignInvitation",
        .object([
            .required("id", .uuid), .required("channel_id", .uuid), .required("created_by", .uuid),
            .required("max_uses", .nullable(.count), "null: any number"), .required("current_uses", .count),
            .required("expires_at", .nullable(.dateTime)), .required("created_at", .dateTime),
        ]))
}
