// rooms.md, "Message Endpoints": history, search, and the summaries that wait for the assistant. What is sent comes by
// the document's socket.

import Accounts
import Base
import Chat
import Wire

extension RoomsRoutes {
    static var messages: [Route] {
        [
            .get(
                "/chatrooms/{chatroom_id}/messages", .standing(.member), "Messages of a chatroom, the newest first",
                query: NumberedPage.parameters(size: "limit", default: 50) + [
                    Parameter("before", .dateTime, "Only what was written before"),
                    Parameter("after", .dateTime, "Only what was written after"),
                ], answer: RoomsPresenter.envelope(historySchema)
            ) { call in try await history(call) },
            .post(
                "/chatrooms/{chatroom_id}/search", .standing(.member), "Search the messages of a chatroom",
                limit: .search,
                body: .json(
                    .object([
                        .optional("query", .text(1...1_000), "Words; needed unless there are search_tokens"),
                        .optional("search_tokens", ChatFields.searchTokens, "What sealed messages may be found by"),
                        .optional("message_type", .choice(["text", "image", "file"])), .optional("user_id", .uuid),
                        .optional("date_from", .dateTime), .optional("date_to", .dateTime),
                        .optional("limit", .integer(1...Int64(NumberedPage.sizeMax)), "20 where it is not given"),
                    ])), answer: RoomsPresenter.envelope(resultsSchema)
            ) { call in try await search(call) },
        ]
    }

    static var summaries: [Route] {
        [
            .get(
                "/chatrooms/{chatroom_id}/summary", .standing(.member), "The newest summary of a chatroom",
                query: [
                    Parameter("date_from", .dateTime), Parameter("date_to", .dateTime),
                    Parameter("summary_type", .choice(["automatic", "manual"])),
                ], answer: RoomsPresenter.envelope(summarySchema)
            ) { call in try await refuseSummary(call) },
            .post(
                "/chatrooms/{chatroom_id}/summary", .standing(.member), "Write a new summary", status: .created,
                body: .optionalJSON(
                    .object([
                        .optional("date_from", .dateTime), .optional("date_to", .dateTime),
                        .optional("custom_prompt", .text(0...4_096)),
                    ])), answer: RoomsPresenter.envelope(summarySchema)
            ) { call in try await refuseSummary(call) },
        ]
    }

    // MARK: Operations

    private static func history(_ call: Call) async throws -> Reply {
        let page = NumberedPage(call, size: "limit", default: 50)
        // "After" leaves out what was written at that very time.
        let since = call.time(call.query["after"]).map { $0 + .microseconds(1) }
        let query = HistoryQuery(
            .skipping(page.offset), since: since, until: call.time(call.query["before"]), limit: page.size)
        let found = try await call.chat.history(
            of: try call.conversationID("chatroom_id"), query, for: try call.principal)
        let people = try await call.chat.people(found.people)
        return RoomsPresenter.reply { json in
            json.array("messages") { json in
                for message in found.messages {
                    json.object { RoomsMessagePresenter.write(message, people, into: &$0) }
                }
            }
            json.object("pagination") { json in
                json.field("page", page.number)
                json.field("limit", page.size)
                json.field("total", found.total)
                json.field("has_more", found.hasMore)
            }
        }
    }

    private static func search(_ call: Call) async throws -> Reply {
        let begun = Instant.now()
        let results = try await call.chat.search(try query(call), for: try call.principal)
        let people = try await call.chat.people(results.hits.reduce(into: []) { $0.formUnion($1.message.people) })
        return RoomsPresenter.reply { json in
            json.array("results") { json in
                for hit in results.hits { json.object { write(hit, people, into: &$0) } }
            }
            json.field("total_results", results.total)
            json.field("search_time_ms", (Instant.now() - begun).milliseconds)
        }
    }

    private static func query(_ call: Call) throws -> SearchQuery {
        let tokens = try call.searchTokens()
        let terms: SearchQuery.Terms = tokens.isEmpty ? .words(try call.text("query")) : .tokens(tokens)
        return SearchQuery(
            terms, in: try call.conversationID("chatroom_id"),
            type: call.optionalText("message_type").flatMap(MessageType.init(name:)),
            sender: try call.reference(call.body["user_id"], or: .user), since: call.time(call.body["date_from"]),
            until: call.time(call.body["date_to"]),
            limit: call.body["limit"]?.integerValue.map { Int($0) } ?? 20)
    }

    /// Members are told that nothing here writes summaries; others what they are told everywhere.
    private static func refuseSummary(_ call: Call) async throws -> Reply {
        try await call.chat.authorize(.view, in: try call.conversationID("chatroom_id"), for: try call.principal)
        throw RequestFault.unavailable(
            reason: "No assistant is configured on this server, so there are no summaries", retryAfter: 3_600)
    }

    // MARK: Values

    private static func write(
        _ hit: SearchHit, _ people: [UserID: ChatPerson], into json: inout JSONWriter
    ) {
        json.object("message") { RoomsMessagePresenter.write(hit.message, people, into: &$0) }
        json.field("relevance_score", hit.score)
        json.field("matched_terms", hit.matchedTerms)
        if let context = hit.context {
            json.object("context") { json in
                json.field("before", context.before)
                json.field("match", context.match)
                json.field("after", context.after)
            }
        } else {
            json.null("context")
        }
    }

    private static let historySchema = Schema.object([
        .required("messages", .array(RoomsMessagePresenter.schema, limit: NumberedPage.sizeMax)),
        .required(
            "pagination",
            .object([
                .required("page", .count), .required("limit", .count), .required("total", .count),
                .required("has_more", .boolean),
            ])),
    ])

    private static let resultsSchema = Schema.object([
        .required(
            "results",
            .array(
                .object([
                    .required("message", RoomsMessagePresenter.schema),
                    .required("relevance_score", .number, "From 0 to 1; comparable within one answer"),
                    .required("matched_terms", .array(.text, limit: 1_000)),
                    .required(
                        "context",
                        .nullable(
                            .object([
                                .required("before", .text), .required("match", .text), .required("after", .text),
                            ])), "null for sealed messages"),
                ]), limit: NumberedPage.sizeMax)),
        .required("total_results", .count), .required("search_time_ms", .count),
    ])

    private static let summarySchema = Schema.object([
        .required(
            "summary",
            .object([
                .required("id", .text), .required("chatroom_id", .uuid), .required("summary_text", .text),
                .required("summary_type", .choice(["automatic", "manual"])), .required("message_count", .count),
                .required("start_date", .dateTime), .required("end_date", .dateTime),
                .required("participants", ChatFields.members), .required("keywords", .array(.text, limit: 100)),
                .required("sentiment_score", .number), .required("language", .text),
                .required("created_at", .dateTime),
            ]))
    ])
}
