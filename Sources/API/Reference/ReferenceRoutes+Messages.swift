// reference.md, "Messaging".

import Accounts
import Base
import Chat
import Wire

extension ReferenceRoutes {
    static var messages: [Route] {
        [
            .get(
                "/api/v1/messages", .user, "Messages of a channel, the newest first", limit: .messages,
                query: [
                    Parameter("channel_id", .uuid, "Needed"),
                    Parameter("limit", .integer(1...Int64(NumberedPage.sizeMax)), "50 where it is not given"),
                    Parameter("before", .uuid, "A message: only older ones; the last answer's `next_cursor`"),
                ], answer: listSchema
            ) { call in try await list(call) },
            .post(
                "/api/v1/messages", .user, "Send a message", status: .created, limit: .messages,
                body: .json(
                    .object([
                        .required("channel_id", .uuid), .required("content", ChatFields.content),
                        .optional("content_type", ChatFields.writtenTypes, "text where it is not given"),
                        .optional("mentions", ChatFields.mentions), .optional("reply_to", .nullable(.uuid)),
                        .optional(
                            "client_id", .nullable(ChatFields.clientID),
                            "The sender's name for it: sent again under the same name, it is stored once"),
                    ])), answer: ReferenceMessagePresenter.schema
            ) { call in
                let new = NewMessage(
                    .plain(try call.text("content")),
                    type: call.optionalText("content_type").flatMap(MessageType.init(name:)) ?? .text,
                    replyTo: try call.reference(call.body["reply_to"], or: .message),
                    mentions: try call.people(named: "mentions"), clientID: call.optionalText("client_id"))
                return reply(try await call.chat.send(new, to: try channel(call.body), by: try call.principal).message)
            },
            .put(
                "/api/v1/messages/{message_id}", .user, "Edit a message", limit: .messages,
                body: .json(.object([.required("content", ChatFields.content)])),
                answer: ReferenceMessagePresenter.schema
            ) { call in
                reply(
                    try await call.chat.edit(
                        try call.messageID("message_id"), MessageEdit(.plain(try call.text("content"))),
                        by: try call.principal))
            },
            .delete("/api/v1/messages/{message_id}", .user, "Delete a message", limit: .messages) { call in
                try await call.chat.deleteMessage(try call.messageID("message_id"), by: try call.principal)
                return .empty
            },
        ]
    }

    private static func list(_ call: Call) async throws -> Reply {
        let before: MessageID? = try call.queryReference("before", or: .message)
        let query = HistoryQuery(
            before.map { .before($0) } ?? .skipping(0), limit: call.queryInteger("limit", default: 50))
        let page = try await call.chat.history(of: try channel(call.query), query, for: try call.principal)
        return ReferencePresenter.reply { json in
            json.array("messages") { json in
                for message in page.messages {
                    json.object { ReferenceMessagePresenter.write(message, into: &$0) }
                }
            }
            json.object("pagination") { json in
                json.field("has_more", page.hasMore)
                json.field("next_cursor", page.hasMore ? page.messages.last?.id : nil)
                json.field("total_count", page.total)
            }
        }
    }

    /// The id of the channel is what makes a request this document's; with neither id it may come without one.
    private static func channel(_ fields: JSONObject) throws -> ConversationID {
        guard let text = fields["channel_id"]?.stringValue else {
            throw FieldFault("channel_id", .required, "is required")
        }
        guard let id = ConversationID(text) else { throw ChatError.notFound(.conversation) }
        return id
    }

    private static func reply(_ message: Message) -> Reply {
        ReferencePresenter.reply { ReferenceMessagePresenter.write(message, into: &$0) }
    }

    private static let listSchema = Schema.object([
        .required("messages", .array(ReferenceMessagePresenter.schema, limit: NumberedPage.sizeMax)),
        .required(
            "pagination",
            .object([
                .required("has_more", .boolean), .required("next_cursor", .nullable(.uuid)),
                .required("total_count", .count),
            ])),
    ])
}
