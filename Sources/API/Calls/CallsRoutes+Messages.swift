// calls.md, "Message Management".

import Accounts
import Base
import Chat
import Wire

extension CallsRoutes {
    static var messages: [Route] {
        [
            .get(
                "/api/v1/messages", .standing(.member), "Messages of a conversation, the newest first",
                query: [Parameter("conversation_id", .uuid, "Needed")] + listParameters,
                answer: list(of: CallsChatPresenter.messageSchema)
            ) { call in
                let query = HistoryQuery(
                    .skipping(call.queryInteger("skip", default: 0)), limit: call.queryInteger("limit", default: 100),
                    wantsStatuses: true)
                let page = try await call.chat.history(
                    of: try conversation(call.query), query, for: try call.principal)
                return CallsPresenter.reply { json in
                    json.array("data") { json in
                        for message in page.messages {
                            json.object { CallsChatPresenter.message(message, into: &$0) }
                        }
                    }
                    json.field("count", page.total)
                }
            },
            .post(
                "/api/v1/messages", .standing(.member), "Send a message that is sealed for devices", status: .created,
                limit: .messages,
                body: .json(
                    .object([
                        .required("conversation_id", .uuid), .required("ciphertext", ChatFields.content),
                        .optional(
                            "message_type",
                            .choice(MessageType.allCases.filter { $0 != .system }.map(CallsChatPresenter.type)),
                            "text where it is not given"),
                        .required("recipient_keys", SealedForms.keysSchema),
                        .optional("ciphertext_nonce", .nullable(.text)),
                        .optional("encryption_algo", .nullable(.text)),
                        .optional("preview_text_hash", .nullable(.text)),
                        .optional("attachments", .array(attachmentSchema, limit: ChatFields.shownAttachments)),
                        .optional("reply_to", .nullable(.uuid)), .optional("mentions", ChatFields.mentions),
                        .optional("search_tokens", ChatFields.searchTokens),
                        .optional("client_id", .nullable(ChatFields.clientID)),
                    ])), answer: CallsChatPresenter.messageSchema
            ) { call in
                let sent = try await call.chat.send(
                    try message(call), to: try conversation(call.body), by: try call.principal)
                return CallsPresenter.reply { CallsChatPresenter.message(sent.message, into: &$0) }
            },
        ]
    }

    static let listParameters = [
        Parameter("skip", .integer(0...1_000_000), "To leave out; 0 where it is not given"),
        Parameter("limit", .integer(1...Int64(NumberedPage.sizeMax)), "100 where it is not given"),
    ]

    static func list(of element: Schema) -> Schema {
        .object([
            .required("data", .array(element, limit: NumberedPage.sizeMax)),
            .required("count", .count, "Of all, whatever the page"),
        ])
    }

    private static func conversation(_ fields: JSONObject) throws -> ConversationID {
        guard let text = fields["conversation_id"]?.stringValue else {
            throw FieldFault("conversation_id", .required, "is required")
        }
        guard let id = ConversationID(text) else { throw ChatError.notFound(.conversation) }
        return id
    }

    private static func message(_ call: Call) throws -> NewMessage {
        NewMessage(
            .deviceBox(try SealedForms.deviceBox(call.body, keys: "recipient_keys")),
            type: call.optionalText("message_type").flatMap(MessageType.init(name:)) ?? .text,
            replyTo: try call.reference(call.body["reply_to"], or: .message),
            mentions: try call.people(named: "mentions"), attachments: attachments(call),
            clientID: call.optionalText("client_id"), searchTokens: try call.searchTokens())
    }

    private static func attachments(_ call: Call) -> [Attachment] {
        (call.body["attachments"]?.arrayValue ?? []).map { value in
            Attachment(
                id: .timeOrdered(at: call.time), name: value["file_name"]?.stringValue ?? "",
                size: value["file_size"]?.integerValue ?? 0, contentType: value["content_type"]?.stringValue ?? "",
                storage: value["storage_id"]?.stringValue ?? "")
        }
    }

    private static let attachmentSchema = Schema.object([
        .required("file_name", .text(1...255)), .required("file_size", .count),
        .required("content_type", .text(1...255)), .required("storage_id", .text(1...255)),
    ])
}
