// Channels, messages and members in design.md's clothes. The document gives their rows and no bodies: these are ours
// (docs/protocol/chat.md), with the names that the other documents have for the same things.

import Accounts
import Base
import Chat
import Wire

enum DesignChatPresenter {
    // MARK: Channels

    /// Who is not in it sees that it is there, what it is called and how many are in it.
    static func channel(_ view: ConversationView, into json: inout JSONWriter) {
        let channel = view.conversation
        json.field("id", channel.id)
        json.field("type", channel.type.name)
        json.field("visibility", channel.visibility.name)
        json.field("name", view.shownTitle)
        json.field("description", channel.summary)
        json.field("organization_id", channel.organization)
        json.field("owner_id", view.forMembers(channel.owner))
        json.field("member_count", channel.memberCount)
        json.field("max_members", channel.maxMembers)
        json.field("is_archived", channel.isArchived)
        json.field("is_encrypted", channel.settings.isEncrypted)
        json.field("auto_summary_enabled", channel.settings.hasAutomaticSummary)
        json.field("summary_threshold", channel.settings.summaryThreshold)
        json.field("retention_seconds", channel.settings.retention.map { Int($0.inSeconds) })
        json.field("role", view.membership?.role.name)
        json.field("permissions", view.abilities.names)
        json.field("is_muted", view.membership?.isMuted ?? false)
        json.field("unread_count", view.unreadCount)
        json.field("last_message_id", view.forMembers(channel.lastMessage))
        lastMessage(of: view, into: &json)
        json.field("last_activity_at", view.forMembers(channel.lastActivity))
        json.field("created_at", channel.createdAt)
        json.field("updated_at", channel.updatedAt)
    }

    static func lastMessage(of view: ConversationView, into json: inout JSONWriter) {
        guard let message = view.forMembers(view.lastMessage) else { return json.null("last_message") }
        json.object("last_message") { Self.message(message, into: &$0) }
    }

    static let channelSchema = Schema.named(
        "DesignChannel",
        .object([
            .required("id", .uuid), .required("type", .choice(ConversationType.allCases.map(\.name))),
            .required("visibility", ChatFields.visibility), .required("name", .nullable(.text)),
            .required("description", .nullable(.text)), .required("organization_id", .nullable(.uuid)),
            .required("owner_id", .nullable(.uuid)), .required("member_count", .count),
            .required("max_members", .count), .required("is_archived", .boolean),
            .required("is_encrypted", .boolean, "Clients are asked to seal what they write"),
            .required("auto_summary_enabled", .boolean), .required("summary_threshold", .count),
            .required("retention_seconds", .nullable(.count), "Older messages are removed; null: as the server has it"),
            .required("role", .nullable(ChatFields.roles), "The caller's; null for who is not in it"),
            .required("permissions", abilitySchema, "The caller's"), .required("is_muted", .boolean),
            .required("unread_count", .count), .required("last_message_id", .nullable(.uuid)),
            .required("last_message", .nullable(messageSchema), "null for who is not in it"),
            .required("last_activity_at", .nullable(.dateTime)), .required("created_at", .dateTime),
            .required("updated_at", .dateTime),
        ]))

    static let abilitySchema = Schema.array(.choice(Abilities.all.names), limit: Abilities.all.names.count)

    // MARK: Members

    static func member(_ entry: MemberEntry, into json: inout JSONWriter) {
        json.field("user_id", entry.member.user)
        person(entry.person, into: &json)
        json.field("role", entry.member.role.name)
        json.field("joined_at", entry.member.joinedAt)
        json.field("added_by", entry.member.addedBy)
        json.field("last_read_at", entry.member.readAt)
    }

    static func person(_ person: ChatPerson, into json: inout JSONWriter) {
        json.field("username", person.username.exposed)
        json.field("display_name", person.displayName.exposed)
        json.field("avatar_url", person.avatarURL)
        json.field("is_active", person.isActive)
    }

    static let personProperties: [Property] = [
        .required("username", .text), .required("display_name", .text), .required("avatar_url", .nullable(.text)),
        .required("is_active", .boolean),
    ]
    static let memberSchema = Schema.named(
        "DesignMember",
        .object(
            [.required("user_id", .uuid)] + personProperties + [
                .required("role", ChatFields.roles), .required("joined_at", .dateTime),
                .required("added_by", .nullable(.uuid)), .required("last_read_at", .nullable(.dateTime)),
            ]))

    // MARK: Messages

    static func message(_ message: Message, into json: inout JSONWriter) {
        json.field("id", message.id)
        json.field("channel_id", message.conversation)
        json.field("sequence", message.sequence)
        json.field("user_id", message.sender)
        json.field("type", message.type.name)
        json.field("content", message.plainText)
        json.field("encrypted", message.body.isSealed)
        SealedForms.writeSealed(message.body, into: &json)
        json.field("reply_to", message.replyTo)
        json.field("thread_id", message.thread)
        json.field("reply_count", message.replyCount)
        json.field("last_reply_at", message.lastReplyAt)
        json.field("mentions", message.mentions.map(\.description))
        json.array("attachments") { json in
            for attachment in message.attachments { json.object { Self.attachment(attachment, into: &$0) } }
        }
        json.array("reactions") { json in
            for reaction in message.reactions { json.object { Self.reaction(reaction, into: &$0) } }
        }
        json.field("version", message.version)
        json.field("client_id", message.clientID)
        json.field("is_edited", message.isEdited)
        json.field("is_deleted", message.isDeleted)
        json.field("pinned_at", message.pinnedAt)
        json.field("created_at", message.createdAt)
        json.field("updated_at", message.updatedAt)
    }

    static func reaction(_ reaction: Reaction, into json: inout JSONWriter) {
        json.field("user_id", reaction.user)
        json.field("emoji", reaction.emoji)
        json.field("created_at", reaction.createdAt)
    }

    private static func attachment(_ attachment: Attachment, into json: inout JSONWriter) {
        json.field("id", attachment.id)
        json.field("filename", attachment.name)
        json.field("size", attachment.size)
        json.field("content_type", attachment.contentType)
        json.field("file_id", attachment.storage)
    }

    private static let reactionProperties: [Property] = [
        .required("user_id", .uuid), .required("emoji", .text), .required("created_at", .dateTime),
    ]
    static let reactionSchema = Schema.named(
        "DesignReaction", .object([.required("message_id", .uuid)] + reactionProperties))
    static let messageSchema = Schema.named(
        "DesignMessage",
        .object([
            .required("id", .uuid), .required("channel_id", .uuid),
            .required("sequence", .count, "1, 2, 3 … in its channel"),
            .required("user_id", .nullable(.uuid), "null when the account is gone, and for what the system says"),
            .required("type", ChatFields.messageTypes),
            .required("content", .nullable(.text), "null for sealed and deleted ones"),
            .required("encrypted", .boolean), .required("sealed", .nullable(SealedForms.schema)),
            .required("reply_to", .nullable(.uuid)), .required("thread_id", .nullable(.uuid)),
            .required("reply_count", .count), .required("last_reply_at", .nullable(.dateTime)),
            .required("mentions", ChatFields.mentions),
            .required(
                "attachments",
                .array(
                    .object([
                        .required("id", .uuid), .required("filename", .text), .required("size", .count),
                        .required("content_type", .text), .required("file_id", .text),
                    ]), limit: ChatFields.shownAttachments)),
            .required("reactions", .array(.object(reactionProperties), limit: ChatFields.shownReactions)),
            .required("version", .count, "1 when it is new; each edit adds one"),
            .required("client_id", .nullable(.text)), .required("is_edited", .boolean),
            .required("is_deleted", .boolean), .required("pinned_at", .nullable(.dateTime)),
            .required("created_at", .dateTime), .required("updated_at", .nullable(.dateTime)),
        ]))
}
