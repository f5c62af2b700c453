// calls.md, "Conversation Management".

import Accounts
import Base
import Chat
import Wire

extension CallsRoutes {
    static var conversations: [Route] {
        [
            .get(
                "/api/v1/conversations", .user, "Conversations that the caller is in", query: listParameters,
                answer: list(of: CallsChatPresenter.conversationSchema)
            ) { call in
                let filter = ConversationFilter(
                    offset: call.queryInteger("skip", default: 0), limit: call.queryInteger("limit", default: 100))
                let page = try await call.chat.conversations(filter, for: try call.principal)
                return CallsPresenter.reply { json in
                    json.array("data") { json in
                        for view in page.items { json.object { CallsChatPresenter.conversation(view, into: &$0) } }
                    }
                    json.field("count", page.total)
                }
            },
            .post(
                "/api/v1/conversations", .user, "Begin a conversation", status: .created,
                body: .json(
                    .object([
                        .optional("title", .nullable(ChatFields.title)),
                        .required("type", CallsChatPresenter.typeSchema),
                        .optional("visibility", ChatFields.visibility, "private where it is not given"),
                        .optional("description", .nullable(ChatFields.summary)),
                        .required("participants", ChatFields.members, "Beside the caller"),
                    ])), answer: CallsChatPresenter.conversationSchema
            ) { call in
                let view = try await begin(call)
                return CallsPresenter.reply { CallsChatPresenter.conversation(view, into: &$0) }
            },
        ]
    }

    static var members: [Route] {
        [
            .post(
                "/api/v1/conversations/{conversation_id}/members", .standing(.admin), "Add somebody",
                status: .created,
                body: .json(
                    .object([
                        .required("user_id", .uuid),
                        .optional("role", CallsChatPresenter.roleSchema, "member where it is not given"),
                    ])), answer: CallsChatPresenter.memberSchema
            ) { call in
                let (id, principal) = (try call.conversationID("conversation_id"), try call.principal)
                let entry = try await call.chat.addMember(
                    try call.person(named: "user_id"), to: id,
                    role: call.optionalText("role").flatMap(MemberRole.init(name:)) ?? .member, by: principal)
                let view = try await call.chat.conversation(id, for: principal)
                return CallsPresenter.reply { CallsChatPresenter.member(entry, view, into: &$0) }
            },
            .delete(
                "/api/v1/conversations/{conversation_id}/members/{user_id}", .standing(.admin),
                "Remove somebody from the conversation and its call; oneself: leave"
            ) { call in
                let (id, principal) = (try call.conversationID("conversation_id"), try call.principal)
                let user: UserID = try call.identifier("user_id")
                if user == principal.user {
                    try await call.chat.leave(id, by: principal)
                } else {
                    try await call.chat.removeMember(user, from: id, by: principal, origin: call.origin)
                }
                return .empty
            },
        ]
    }

    private static func begin(_ call: Call) async throws -> ConversationView {
        let (people, principal) = (try call.people(named: "participants"), try call.principal)
        let type = ConversationType(name: try call.text("type")) ?? .group
        if type == .direct {
            let others = people.filter { $0 != principal.user }
            guard others.count == 1 else {
                throw FieldFault("participants", .value, "must be one other person for a direct conversation")
            }
            return try await call.chat.direct(with: others[0], by: principal).view
        }
        let new = NewConversation(
            type: type,
            visibility: call.optionalText("visibility").flatMap(ConversationVisibility.init(name:)) ?? .private,
            title: call.optionalText("title"), summary: call.optionalText("description"), members: people,
            rules: type == .channel ? .broadcast : RoleRules())
        return try await call.chat.create(new, by: principal)
    }
}
