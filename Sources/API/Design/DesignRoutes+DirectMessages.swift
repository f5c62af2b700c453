// design.md, "Direct Messages": conversations of two people. What is not one is not found here.

import Accounts
import Base
import Chat
import Wire

extension DesignRoutes {
    static var directMessages: [Route] {
        [
            .get(
                "/v1/dm/conversations", .user, "Direct conversations, the one with the newest message first",
                query: listParameters, answer: DesignPresenter.listEnvelope(directSchema)
            ) { call in
                let page = NumberedPage(call, size: "per_page", default: 50)
                let filter = ConversationFilter(types: [.direct], offset: page.offset, limit: page.size)
                let found = try await call.chat.conversations(filter, for: try call.principal)
                return DesignPresenter.list(call, page.with(total: found.total)) { json in
                    for view in found.items { json.object { write(view, into: &$0) } }
                }
            },
            .post(
                "/v1/dm/conversations", .user, "The conversation with somebody; begun if there is none",
                status: .created,
                body: .json(
                    .object([
                        .required("user_id", .uuid),
                        .optional(
                            "is_encrypted", .boolean, "Of a new one: clients are asked to seal; false if not given"),
                    ])),
                answer: DesignPresenter.envelope(directSchema)
            ) { call in
                // As its channels: clients of this document write plain text.
                let found = try await call.chat.direct(
                    with: try call.person(named: "user_id"), isEncrypted: call.body["is_encrypted"]?.boolValue ?? false,
                    by: try call.principal)
                return DesignPresenter.reply(call) { write(found.view, into: &$0) }
            },
            .get(
                "/v1/dm/conversations/{id}", .standing(.member), "A direct conversation",
                answer: DesignPresenter.envelope(directSchema)
            ) { call in
                let view = try await direct(call)
                return DesignPresenter.reply(call) { write(view, into: &$0) }
            },
            .get(
                "/v1/dm/conversations/{id}/messages", .standing(.member), "Its messages, the newest first",
                query: historyParameters, answer: messageListEnvelope
            ) { call in try await history(of: try await direct(call).conversation.id, call) },
            .post(
                "/v1/dm/conversations/{id}/messages", .standing(.member), "Send a direct message", status: .created,
                limit: .messages, body: .json(newMessage), answer: messageEnvelope
            ) { call in try await send(to: try await direct(call).conversation.id, call) },
        ]
    }

    private static func direct(_ call: Call) async throws -> ConversationView {
        let view = try await call.chat.conversation(try call.conversationID(), for: try call.principal)
        guard view.conversation.type == .direct else { throw ChatError.notFound(.conversation) }
        return view
    }

    private static func write(_ view: ConversationView, into json: inout JSONWriter) {
        let conversation = view.conversation
        json.field("id", conversation.id)
        if let person = view.counterpart {
            json.object("user") { json in
                json.field("id", person.id)
                DesignChatPresenter.person(person, into: &json)
            }
        } else {
            json.null("user")
        }
        json.field("is_encrypted", conversation.settings.isEncrypted)
        json.field("is_muted", view.membership?.isMuted ?? false)
        json.field("unread_count", view.unreadCount)
        DesignChatPresenter.lastMessage(of: view, into: &json)
        json.field("last_activity_at", conversation.lastActivity)
        json.field("created_at", conversation.createdAt)
        json.field("updated_at", conversation.updatedAt)
    }

    private static let directSchema = Schema.named(
        "DesignDirectConversation",
        .object([
            .required("id", .uuid),
            .required(
                "user", .nullable(.object([.required("id", .uuid)] + DesignChatPresenter.personProperties)),
                "The other of the two; null when the account is gone"),
            .required("is_encrypted", .boolean), .required("is_muted", .boolean), .required("unread_count", .count),
            .required("last_message", .nullable(DesignChatPresenter.messageSchema)),
            .required("last_activity_at", .nullable(.dateTime)), .required("created_at", .dateTime),
            .required("updated_at", .dateTime),
        ]))
}
