// Beside design.md's rows: how far one has read, what is pinned, what a message said before, and search. Ours
// (docs/protocol/chat.md).

import Accounts
import Base
import Chat
import Wire

extension DesignRoutes {
    static var reading: [Route] {
        [
            .post(
                "/v1/channels/{id}/read", .standing(.member), "All up to a message is read", limit: .messages,
                body: .json(.object([.required("message_id", .uuid)])), answer: channelEnvelope
            ) { call in
                let (id, principal) = (try call.conversationID(), try call.principal)
                guard let upTo: MessageID = try call.reference(call.body["message_id"], or: .message),
                    try await call.chat.message(upTo, for: principal).conversation == id
                else { throw ChatError.notFound(.message) }
                try await call.chat.acknowledge(.read, upTo: upTo, by: principal)
                return reply(try await call.chat.conversation(id, for: principal), call)
            },
            .get(
                "/v1/channels/{id}/pins", .standing(.member), "Pinned messages, the one that was pinned last first",
                answer: DesignPresenter.envelope(.array(DesignChatPresenter.messageSchema, limit: 1_000))
            ) { call in
                let found = try await call.chat.pinned(in: try call.conversationID(), for: try call.principal)
                return DesignPresenter.reply(call, of: found) { DesignChatPresenter.message($0, into: &$1) }
            },
            .put(
                "/v1/messages/{id}/pin", .standing(.moderator), "Pin a message, or take it down",
                body: .json(.object([.required("is_pinned", .boolean)])), answer: messageEnvelope
            ) { call in
                reply(
                    try await call.chat.setPinned(
                        call.body["is_pinned"]?.boolValue ?? true, try call.messageID(), by: try call.principal), call)
            },
            .get(
                "/v1/messages/{id}/versions", .standing(.member), "What a message said before, the newest first",
                answer: DesignPresenter.envelope(.array(versionSchema, limit: 1_000))
            ) { call in
                let found = try await call.chat.formerVersions(of: try call.messageID(), for: try call.principal)
                return DesignPresenter.reply(call, of: found) { write($0, into: &$1) }
            },
        ]
    }

    static var search: [Route] {
        [
            .post(
                "/v1/search", .user, "Search the messages of all channels that the caller is in, or of one",
                limit: .search,
                body: .json(
                    .object([
                        .optional("query", .text(1...1_000), "Words; needed unless there are search_tokens"),
                        .optional("search_tokens", ChatFields.searchTokens, "What sealed messages may be found by"),
                        .optional("channel_id", .nullable(.uuid)), .optional("type", ChatFields.messageTypes),
                        .optional("user_id", .nullable(.uuid)), .optional("since", .nullable(.dateTime)),
                        .optional("until", .nullable(.dateTime)),
                        .optional("page", .integer(1...NumberedPage.numberMax)),
                        .optional("per_page", .integer(1...Int64(NumberedPage.sizeMax)), "20 where it is not given"),
                    ])), answer: DesignPresenter.listEnvelope(hitSchema)
            ) { call in
                let page = NumberedPage(
                    number: call.body["page"]?.integerValue.map { Int($0) } ?? 1,
                    size: call.body["per_page"]?.integerValue.map { Int($0) } ?? 20)
                let found = try await call.chat.search(try query(call, page), for: try call.principal)
                return DesignPresenter.list(call, page.with(total: found.total)) { json in
                    for hit in found.hits { json.object { write(hit, into: &$0) } }
                }
            }
        ]
    }

    private static func query(_ call: Call, _ page: NumberedPage) throws -> SearchQuery {
        let tokens = try call.searchTokens()
        return SearchQuery(
            tokens.isEmpty ? .words(try call.text("query")) : .tokens(tokens),
            in: try call.reference(call.body["channel_id"], or: .conversation),
            type: call.optionalText("type").flatMap(MessageType.init(name:)),
            sender: try call.reference(call.body["user_id"], or: .user), since: call.time(call.body["since"]),
            until: call.time(call.body["until"]), offset: page.offset, limit: page.size)
    }

    // MARK: Values

    private static func write(_ version: FormerVersion, into json: inout JSONWriter) {
        json.field("version", version.version)
        if case .plain(let text) = version.body { json.field("content", text) } else { json.null("content") }
        json.field("encrypted", version.body.isSealed)
        SealedForms.writeSealed(version.body, into: &json)
        json.field("replaced_at", version.replacedAt)
    }

    private static func write(_ hit: SearchHit, into json: inout JSONWriter) {
        json.object("message") { DesignChatPresenter.message(hit.message, into: &$0) }
        json.field("score", hit.score)
        json.field("matched_terms", hit.matchedTerms)
        guard let context = hit.context else { return json.null("context") }
        json.object("context") { json in
            json.field("before", context.before)
            json.field("match", context.match)
            json.field("after", context.after)
        }
    }

    private static let versionSchema = Schema.named(
        "DesignFormerVersion",
        .object([
            .required("version", .count), .required("content", .nullable(.text)), .required("encrypted", .boolean),
            .required("sealed", .nullable(SealedForms.schema)), .required("replaced_at", .dateTime),
        ]))
    private static let hitSchema = Schema.named(
        "DesignSearchHit",
        .object([
            .required("message", DesignChatPresenter.messageSchema),
            .required("score", .number, "From 0 to 1; comparable within one answer"),
            .required("matched_terms", .array(.text, limit: 1_000)),
            .required(
                "context",
                .nullable(
                    .object([.required("before", .text), .required("match", .text), .required("after", .text)])),
                "null for sealed messages"),
        ]))
}
