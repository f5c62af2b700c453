// Conversations, their members and messages in calls.md's clothes. Its own form of a body is the box with keys for
// devices; of another one the sealed members are null, and the body stands under `content` or `sealed`
// (docs/protocol/chat.md).

import Base
import Chat
import Crypto
import Wire

enum CallsChatPresenter {
    // MARK: Messages

    static func message(_ message: Message, into json: inout JSONWriter) {
        let box = message.deviceBox
        json.field("id", message.id)
        json.field("conversation_id", message.conversation)
        json.field("sender_id", message.sender)
        json.field("ciphertext", box?.ciphertext)
        json.field("ciphertext_nonce", box?.nonce)
        json.field("encryption_algo", box?.algorithm)
        switch message.body {
        case .plain(let text): json.field("content", text)
        case .box: SealedForms.writeSealed(message.body, into: &json)
        case .deviceBox, .removed: break
        }
        json.field("message_type", type(message.type))
        json.field("preview_text_hash", box?.previewHash)
        json.field("is_edited", message.isEdited)
        json.field("is_deleted", message.isDeleted)
        json.field("created_at", message.createdAt)
        json.field("updated_at", message.updatedAt ?? message.createdAt)
        SealedForms.write(box?.keys ?? [], into: &json)
        json.array("attachments") { json in
            for attachment in message.attachments { json.object { Self.attachment(attachment, into: &$0) } }
        }
        json.array("statuses") { json in
            for status in message.statuses { json.object { Self.status(status, into: &$0) } }
        }
    }

    static func type(_ type: MessageType) -> String { type == .file ? "document" : type.name }

    private static func attachment(_ attachment: Attachment, into json: inout JSONWriter) {
        json.field("id", attachment.id)
        json.field("file_name", attachment.name)
        json.field("file_size", attachment.size)
        json.field("content_type", attachment.contentType)
        json.field("storage_id", attachment.storage)
    }

    private static func status(_ status: MessageStatus, into json: inout JSONWriter) {
        json.field("user_id", status.user)
        if let device = status.device { json.field("device_id", device) }
        json.field("status", status.kind.name)
        json.field("status_at", status.at)
    }

    static let messageSchema = Schema.named(
        "CallsMessage",
        .object([
            .required("id", .uuid), .required("conversation_id", .uuid),
            .required("sender_id", .nullable(.uuid), "null when the account is gone, and for what the system says"),
            .required("ciphertext", .nullable(.text), "null for what is not sealed for devices"),
            .required("ciphertext_nonce", .nullable(.text)), .required("encryption_algo", .nullable(.text)),
            .optional("content", .text, "Of a message that is not sealed"),
            .optional("sealed", SealedForms.schema, "Of a message that is sealed under a key of the conversation"),
            .required("message_type", .choice(MessageType.allCases.map(type))),
            .required("preview_text_hash", .nullable(.text)), .required("is_edited", .boolean),
            .required("is_deleted", .boolean), .required("created_at", .dateTime),
            .required("updated_at", .dateTime), .required("encrypted_keys", SealedForms.keysSchema),
            .required(
                "attachments",
                .array(
                    .object([
                        .required("id", .uuid), .required("file_name", .text), .required("file_size", .count),
                        .required("content_type", .text), .required("storage_id", .text),
                    ]), limit: ChatFields.shownAttachments)),
            .required(
                "statuses",
                .array(
                    .object([
                        .required("user_id", .uuid), .optional("device_id", .uuid),
                        .required("status", .choice(ReceiptKind.allCases.map(\.name))),
                        .required("status_at", .dateTime),
                    ]), limit: ChatFields.shownStatuses)),
        ]))

    // MARK: Conversations

    static func conversation(_ view: ConversationView, into json: inout JSONWriter) {
        let conversation = view.conversation
        json.field("id", conversation.id)
        json.field("title", view.shownTitle)
        json.field("type", type(conversation.type))
        json.field("visibility", conversation.visibility.name)
        json.field("creator_id", conversation.creator)
        json.field("member_count", conversation.memberCount)
        json.field("last_message_id", view.forMembers(conversation.lastMessage))
        json.field("last_activity", view.forMembers(conversation.lastActivity))
        json.field("archived", conversation.isArchived)
        json.field("created_at", conversation.createdAt)
        json.field("updated_at", conversation.updatedAt)
    }

    /// The document knows four.
    static func type(_ type: ConversationType) -> String {
        switch type {
        case .direct: ConversationType.direct.name
        case .group, .room: ConversationType.group.name
        case .channel, .voice: ConversationType.channel.name
        case .support: ConversationType.support.name
        }
    }

    static let typeSchema = Schema.choice([.direct, .group, .channel, .support].map(type))

    static let conversationSchema = Schema.named(
        "CallsConversation",
        .object([
            .required("id", .uuid), .required("title", .nullable(.text)), .required("type", typeSchema),
            .required("visibility", ChatFields.visibility), .required("creator_id", .uuid),
            .required("member_count", .count), .required("last_message_id", .nullable(.uuid)),
            .required("last_activity", .nullable(.dateTime)), .required("archived", .boolean),
            .required("created_at", .dateTime), .required("updated_at", .dateTime),
        ]))

    // MARK: Members

    /// `view` is the conversation after the member came, as whoever asks sees it.
    static func member(_ entry: MemberEntry, _ view: ConversationView, into json: inout JSONWriter) {
        let (member, log) = (entry.member, view.conversation.log)
        json.field("id", identity(of: member))
        json.field("conversation_id", member.conversation)
        json.field("user_id", member.user)
        json.field("role", role(member.role))
        json.field("joined_at", member.joinedAt)
        json.field("unread_count", max(0, log.lastSequence - max(member.readSequence, log.firstSequence - 1)))
        json.field("is_muted", member.isMuted)
    }

    /// The document's memberships have ids of their own. Ours have none: a UUID (RFC 9562, version 8) is made of the two
    /// that name it, the same one each time.
    private static func identity(of member: Member) -> UUID {
        let digest = SHA256.hash(member.conversation.bytes + member.user.bytes)
        let word = { (range: Range<Int>) in digest[range].reduce(0) { $0 << 8 | UInt64($1) } }
        return UUID(
            high: word(0..<8) & 0xFFFF_FFFF_FFFF_0FFF | 0x8000,
            low: word(8..<16) & 0x3FFF_FFFF_FFFF_FFFF | 0x8000_0000_0000_0000)
    }

    /// The document has no owners: they are admins there.
    static func role(_ role: MemberRole) -> String { role == .owner ? MemberRole.admin.name : role.name }

    static let roleSchema = Schema.choice(["admin", "moderator", "member"])

    static let memberSchema = Schema.named(
        "CallsConversationMember",
        .object([
            .required("id", .uuid), .required("conversation_id", .uuid), .required("user_id", .uuid),
            .required("role", roleSchema), .required("joined_at", .dateTime), .required("unread_count", .count),
            .required("is_muted", .boolean),
        ]))
}
