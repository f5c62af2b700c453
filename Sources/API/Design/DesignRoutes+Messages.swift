// design.md, "Messaging".

import Accounts
import Base
import Chat
import Wire

extension DesignRoutes {
    static var messages: [Route] {
        [
            .get(
                "/v1/channels/{id}/messages", .standing(.member), "Messages of a channel, the newest first",
                query: historyParameters, answer: messageListEnvelope
            ) { call in try await history(of: try call.conversationID(), call) },
            .post(
                "/v1/channels/{id}/messages", .standing(.member), "Send a message", status: .created,
                limit: .messages, body: .json(newMessage), answer: messageEnvelope
            ) { call in try await send(to: try call.conversationID(), call) },
            .get(
                "/v1/messages/{id}", .standing(.member), "One message", answer: messageEnvelope
            ) { call in
                reply(try await call.chat.message(try call.messageID(), for: try call.principal), call)
            },
            .put(
                "/v1/messages/{id}", .standing(.author), "Edit a message", limit: .messages,
                body: .json(
                    .object(
                        bodyProperties + [
                            .optional(
                                "version", .count,
                                "The version that the edit is made from: 409 when the message is another one by now")
                        ])), answer: messageEnvelope
            ) { call in
                let edit = MessageEdit(
                    try body(call), expectedVersion: call.body["version"]?.integerValue,
                    searchTokens: try call.searchTokens())
                return reply(try await call.chat.edit(try call.messageID(), edit, by: try call.principal), call)
            },
            .delete("/v1/messages/{id}", .standing(.authorOrModerator), "Delete a message") { call in
                try await call.chat.deleteMessage(try call.messageID(), by: try call.principal)
                return .empty
            },
        ]
    }

    static var reactions: [Route] {
        [
            .post(
                "/v1/messages/{id}/reactions", .standing(.member), "React with an emoji, once", status: .created,
                limit: .messages, body: .json(.object([.required("emoji", ChatFields.emoji)])),
                answer: DesignPresenter.envelope(DesignChatPresenter.reactionSchema)
            ) { call in
                let message = try call.messageID()
                let reaction = try await call.chat.react(
                    try call.text("emoji"), to: message, by: try call.principal)
                return DesignPresenter.reply(call) { json in
                    json.field("message_id", message)
                    DesignChatPresenter.reaction(reaction, into: &json)
                }
            },
            .delete(
                "/v1/messages/{id}/reactions/{emoji}", .standing(.member), "Take one's reaction back",
                limit: .messages
            ) { call in
                try await call.chat.unreact(
                    call.parameter("emoji"), from: try call.messageID(), by: try call.principal)
                return .empty
            },
        ]
    }

    static var threads: [Route] {
        [
            .get(
                "/v1/messages/{id}/thread", .standing(.member), "A thread: how it began, and its answers in order",
                query: listParameters, answer: threadEnvelope
            ) { call in
                let page = NumberedPage(call, size: "per_page", default: 50)
                let thread = try await call.chat.thread(
                    of: try call.messageID(), offset: page.offset, limit: page.size, for: try call.principal)
                let total = page.with(total: Int(clamping: thread.replies.total))
                return DesignPresenter.reply(call, total) { json in
                    json.object("root") { DesignChatPresenter.message(thread.root, into: &$0) }
                    json.array("replies") { json in
                        for message in thread.replies.messages {
                            json.object { DesignChatPresenter.message(message, into: &$0) }
                        }
                    }
                }
            },
            .post(
                "/v1/messages/{id}/thread", .standing(.member), "Answer in a thread, or begin one", status: .created,
                limit: .messages, body: .json(newMessage), answer: messageEnvelope
            ) { call in
                let sent = try await call.chat.reply(
                    inThreadOf: try call.messageID(), try await message(call), by: try call.principal)
                return reply(sent.message, call)
            },
        ]
    }

    // MARK: What rows share

    static let historyParameters =
        listParameters + [
            Parameter("before", .uuid, "A message: only older ones; without `page`"),
            Parameter("after", .uuid, "A message: those after it, the oldest first; without `page`"),
        ]

    static func history(of channel: ConversationID, _ call: Call) async throws -> Reply {
        let page = NumberedPage(call, size: "per_page", default: 50)
        let query = HistoryQuery(try place(call, page), limit: page.size)
        let found = try await call.chat.history(of: channel, query, for: try call.principal)
        let total = page.with(total: Int(clamping: found.total))
        return DesignPresenter.list(call, total, hasNext: found.hasMore) { json in
            for message in found.messages { json.object { DesignChatPresenter.message(message, into: &$0) } }
        }
    }

    private static func place(_ call: Call, _ page: NumberedPage) throws -> HistoryQuery.Place {
        let before: MessageID? = try call.queryReference("before", or: .message)
        let after: MessageID? = try call.queryReference("after", or: .message)
        if before == nil, after == nil { return .skipping(page.offset) }
        guard page.number == 1 else {
            throw FieldFault("page", .value, "is not counted from a message: leave it out beside before and after")
        }
        switch (before, after) {
        case (let before?, nil): return .before(before)
        case (nil, let after?): return .after(after)
        default: throw FieldFault("after", .value, "cannot be given together with before")
        }
    }

    static func send(to channel: ConversationID, _ call: Call) async throws -> Reply {
        reply(try await call.chat.send(try await message(call), to: channel, by: try call.principal).message, call)
    }

    private static func message(_ call: Call) async throws -> NewMessage {
        NewMessage(
            try body(call), type: call.optionalText("type").flatMap(MessageType.init(name:)) ?? .text,
            replyTo: try call.reference(call.body["reply_to"], or: .message),
            mentions: try call.people(named: "mentions"), attachments: try await attachments(call),
            clientID: call.optionalText("client_id"), searchTokens: try call.searchTokens())
    }

    /// Named and measured by the files themselves: what a sender says of them is not asked for.
    private static func attachments(_ call: Call) async throws -> [Attachment] {
        var attachments: [Attachment] = []
        for value in call.body["file_ids"]?.arrayValue ?? [] {
            guard let id = value.stringValue.flatMap({ FileID($0) }) else { throw FileError.notFound(.file) }
            let file = try await call.files.file(id, for: try call.principal)
            attachments.append(
                Attachment(
                    id: .timeOrdered(at: call.time), name: file.name, size: file.size, contentType: file.type,
                    storage: file.storage))
        }
        return attachments
    }

    private static func body(_ call: Call) throws -> MessageBody {
        switch (call.optionalText("content"), call.body["sealed"]?.objectValue) {
        case (let text?, nil): return .plain(text)
        case (nil, let sealed?): return try SealedForms.body(sealed)
        case (nil, nil): throw FieldFault("content", .required, "is required, or sealed")
        default: throw FieldFault("sealed", .value, "cannot be given together with content")
        }
    }

    static func reply(_ message: Message, _ call: Call) -> Reply {
        DesignPresenter.reply(call) { DesignChatPresenter.message(message, into: &$0) }
    }

    private static let bodyProperties: [Property] = [
        .optional("content", .nullable(ChatFields.content), "Plain text"),
        .optional("sealed", .nullable(SealedForms.schema), "In place of `content`: a body that only clients can read"),
        .optional("search_tokens", ChatFields.searchTokens, "What a sealed one may be found by"),
    ]
    static let newMessage = Schema.object(
        bodyProperties + [
            .optional("type", ChatFields.writtenTypes, "text where it is not given"),
            .optional("reply_to", .nullable(.uuid)), .optional("mentions", ChatFields.mentions),
            .optional("file_ids", .array(.uuid, limit: ChatFields.sentAttachments), "Files that the sender may read"),
            .optional(
                "client_id", .nullable(ChatFields.clientID),
                "The sender's name for it: sent again under the same name, it is stored once"),
        ])

    static let messageEnvelope = DesignPresenter.envelope(DesignChatPresenter.messageSchema)
    static let messageListEnvelope = DesignPresenter.listEnvelope(DesignChatPresenter.messageSchema)
    private static let threadEnvelope = DesignPresenter.pagedEnvelope(
        .object([
            .required("root", DesignChatPresenter.messageSchema),
            .required("replies", .array(DesignChatPresenter.messageSchema, limit: NumberedPage.sizeMax)),
        ]))
}
