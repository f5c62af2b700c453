// design.md, "Channels & Rooms". Any kind of conversation is a channel here; those of two people have rows of their own
// for lists and beginnings (`DesignRoutes+DirectMessages.swift`).

import Accounts
import Base
import Chat
import Wire

extension DesignRoutes {
    static var channels: [Route] {
        [
            .get(
                "/v1/channels", .user, "Channels that the caller is in or could find",
                query: listParameters + channelFilters,
                answer: DesignPresenter.listEnvelope(DesignChatPresenter.channelSchema)
            ) { call in try await listChannels(call) },
            .post(
                "/v1/channels", .user, "Create a channel; the caller becomes its owner", status: .created,
                body: .json(
                    .object(
                        [
                            .required("name", ChatFields.title),
                            .optional("type", .choice(typesToBegin.map(\.name)), "channel where it is not given"),
                            .optional("visibility", ChatFields.visibility, "private where it is not given"),
                            .optional("organization_id", .nullable(.uuid)), .optional("members", ChatFields.members),
                        ] + settingProperties)), answer: channelEnvelope
            ) { call in
                reply(try await call.chat.create(try newChannel(call), by: try call.principal), call)
            },
            .get(
                "/v1/channels/{id}", .standing(.member), "A channel, for members and who may know of it",
                answer: channelEnvelope
            ) { call in
                reply(try await call.chat.conversation(try call.conversationID(), for: try call.principal), call)
            },
            .put(
                "/v1/channels/{id}", .standing(.moderator), "Change a channel",
                body: .json(
                    .object(
                        [
                            .optional("name", ChatFields.title), .optional("visibility", ChatFields.visibility),
                            .optional("is_archived", .boolean),
                        ] + settingProperties)), answer: channelEnvelope
            ) { call in
                reply(
                    try await call.chat.update(try call.conversationID(), changes(call), by: try call.principal), call)
            },
            .delete("/v1/channels/{id}", .standing(.owner), "Delete a channel with everything in it") { call in
                try await call.chat.delete(
                    try call.conversationID(), by: try call.principal, origin: call.origin)
                return .empty
            },
        ]
    }

    static let channelEnvelope = DesignPresenter.envelope(DesignChatPresenter.channelSchema)

    static func reply(_ view: ConversationView, _ call: Call) -> Reply {
        DesignPresenter.reply(call) { DesignChatPresenter.channel(view, into: &$0) }
    }

    private static let typesToBegin = ConversationType.allCases.filter { $0 != .direct }

    private static let settingProperties: [Property] = [
        .optional("description", .nullable(ChatFields.summary)), .optional("max_members", ChatFields.maxMembers),
        .optional("is_encrypted", .boolean, "Clients are asked to seal what they write"),
        .optional("auto_summary_enabled", .boolean), .optional("summary_threshold", ChatFields.summaryThreshold),
        .optional(
            "retention_seconds", .nullable(ChatFields.retention),
            "Older messages are removed; null: as the server has it"),
    ]

    private static let channelFilters = [
        Parameter("search", .text(0...100), "In the name"),
        Parameter("type", .choice(typesToBegin.map(\.name))), Parameter("organization_id", .uuid),
        Parameter("joined", .boolean, "Only those that the caller is in"),
        Parameter("include_archived", .boolean),
    ]

    private static func listChannels(_ call: Call) async throws -> Reply {
        let page = NumberedPage(call, size: "per_page", default: 50)
        let types = call.queryText("type").flatMap(ConversationType.init(name:)).map { [$0] } ?? typesToBegin
        let filter = ConversationFilter(
            types: Set(types), organization: try call.queryReference("organization_id", or: .organization),
            search: call.queryText("search"), includesAccessible: !(call.queryFlag("joined") ?? false),
            includesArchived: call.queryFlag("include_archived") ?? false, offset: page.offset, limit: page.size)
        let found = try await call.chat.conversations(filter, for: try call.principal)
        return DesignPresenter.list(call, page.with(total: found.total)) { json in
            for view in found.items { json.object { DesignChatPresenter.channel(view, into: &$0) } }
        }
    }

    private static func newChannel(_ call: Call) throws -> NewConversation {
        // Clients of this document write plain text unless they say otherwise.
        var settings = ConversationSettings()
        settings.isEncrypted = call.body["is_encrypted"]?.boolValue ?? false
        settings.hasAutomaticSummary = call.body["auto_summary_enabled"]?.boolValue ?? settings.hasAutomaticSummary
        settings.summaryThreshold =
            call.body["summary_threshold"]?.integerValue.map { Int($0) } ?? settings.summaryThreshold
        settings.retention = call.body["retention_seconds"]?.integerValue.map { .seconds($0) }
        return NewConversation(
            type: call.optionalText("type").flatMap(ConversationType.init(name:)) ?? .channel,
            visibility: call.optionalText("visibility").flatMap(ConversationVisibility.init(name:)) ?? .private,
            title: try call.text("name"), summary: call.optionalText("description"),
            organization: try call.reference(call.body["organization_id"], or: .organization),
            members: try call.people(named: "members"),
            maxMembers: call.body["max_members"]?.integerValue.map { Int($0) }, settings: settings)
    }

    private static func changes(_ call: Call) -> ConversationChanges {
        var changes = ConversationChanges()
        changes.title = call.optionalText("name")
        changes.summary = call.clearableText("description")
        changes.visibility = call.optionalText("visibility").flatMap(ConversationVisibility.init(name:))
        changes.maxMembers = call.body["max_members"]?.integerValue.map { Int($0) }
        changes.isArchived = call.body["is_archived"]?.boolValue
        changes.isEncrypted = call.body["is_encrypted"]?.boolValue
        changes.hasAutomaticSummary = call.body["auto_summary_enabled"]?.boolValue
        changes.summaryThreshold = call.body["summary_threshold"]?.integerValue.map { Int($0) }
        if call.mentions("retention_seconds") {
            changes.retention = .some(call.body["retention_seconds"]?.integerValue.map { .seconds($0) })
        }
        return changes
    }
}
