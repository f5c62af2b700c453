// Chatrooms, their members and messages in rooms.md's clothes.

import Accounts
import Base
import Chat
import Wire

enum RoomsChatPresenter {
    // MARK: Chatrooms

    /// The members that all of the document's forms of a chatroom begin with.
    static func identity(_ view: ConversationView, into json: inout JSONWriter) {
        json.field("id", view.conversation.id)
        json.field("name", view.shownTitle ?? "")
        json.field("description", view.conversation.summary)
    }

    static func listed(
        _ view: ConversationView, _ people: [UserID: ChatPerson], into json: inout JSONWriter
    ) {
        identity(view, into: &json)
        json.field("is_private", isPrivate(view))
        json.field("member_count", view.conversation.memberCount)
        if let message = view.lastMessage {
            json.object("last_message") { json in
                json.field("id", message.id)
                json.field("content", shortContent(message))
                json.field("user_id", message.sender)
                json.field("username", message.sender.flatMap { people[$0] }?.username.exposed)
                json.field("created_at", message.createdAt)
            }
        } else {
            json.null("last_message")
        }
        json.field("unread_count", view.unreadCount)
        json.field("role", role(view.membership?.role ?? .member))
        json.field("joined_at", view.membership?.joinedAt)
    }

    /// In the document a string: of a box its `encrypted_data`, of plain text the text.
    private static func shortContent(_ message: Message) -> String? { message.box?.data ?? message.plainText }

    static func created(_ view: ConversationView, into json: inout JSONWriter) {
        identity(view, into: &json)
        json.field("owner_id", view.conversation.owner)
        json.field("is_private", isPrivate(view))
        json.field("max_members", view.conversation.maxMembers)
        settings(view, into: &json)
        json.field("created_at", view.conversation.createdAt)
    }

    static func detailed(_ view: ConversationView, into json: inout JSONWriter) {
        identity(view, into: &json)
        json.field("owner_id", view.conversation.owner)
        json.field("is_private", isPrivate(view))
        json.field("max_members", view.conversation.maxMembers)
        json.field("member_count", view.conversation.memberCount)
        settings(view, into: &json)
        json.field("created_at", view.conversation.createdAt)
        json.field("updated_at", view.conversation.updatedAt)
    }

    private static func settings(_ view: ConversationView, into json: inout JSONWriter) {
        json.field("encryption_enabled", view.conversation.settings.isEncrypted)
        json.field("auto_summary_enabled", view.conversation.settings.hasAutomaticSummary)
        json.field("summary_threshold", view.conversation.settings.summaryThreshold)
    }

    private static func isPrivate(_ view: ConversationView) -> Bool { view.conversation.visibility != .public }

    /// The document has no admins between moderators and the owner.
    static func role(_ role: MemberRole) -> String { role == .admin ? MemberRole.moderator.name : role.name }

    static let roleSchema = Schema.choice(["owner", "moderator", "member"])

    private static let identityProperties: [Property] = [
        .required("id", .uuid), .required("name", .text), .required("description", .nullable(.text)),
    ]
    private static let settingsProperties: [Property] = [
        .required("encryption_enabled", .boolean), .required("auto_summary_enabled", .boolean),
        .required("summary_threshold", .count),
    ]
    static let listedSchema = Schema.named(
        "RoomsListedChatroom",
        .object(
            identityProperties + [
                .required("is_private", .boolean), .required("member_count", .count),
                .required(
                    "last_message",
                    .nullable(
                        .object([
                            .required("id", .uuid),
                            .required(
                                "content", .nullable(.text), "The box's `encrypted_data`, or the text of a plain one"),
                            .required("user_id", .nullable(.uuid)), .required("username", .nullable(.text)),
                            .required("created_at", .dateTime),
                        ]))),
                .required("unread_count", .count), .required("role", roleSchema),
                .required("joined_at", .nullable(.dateTime)),
            ]))
    static let createdSchema = Schema.named(
        "RoomsChatroom",
        .object(
            identityProperties + [
                .required("owner_id", .nullable(.uuid)), .required("is_private", .boolean),
                .required("max_members", .count),
            ] + settingsProperties + [.required("created_at", .dateTime)]))
    static let detailedSchema = Schema.named(
        "RoomsChatroomDetails",
        .object(
            identityProperties + [
                .required("owner_id", .nullable(.uuid)), .required("is_private", .boolean),
                .required("max_members", .count), .required("member_count", .count),
            ] + settingsProperties + [.required("created_at", .dateTime), .required("updated_at", .dateTime)]))
    static let joinedSchema = Schema.object(
        identityProperties + [.required("member_count", .count), .required("role", roleSchema)])

    // MARK: Members

    static func member(_ entry: MemberEntry, isOnline: Bool, into json: inout JSONWriter) {
        json.field("user_id", entry.member.user)
        json.field("username", entry.person.username.exposed)
        json.field("display_name", entry.person.displayName.exposed)
        json.field("avatar_url", entry.person.avatarURL)
        json.field("role", role(entry.member.role))
        json.field("joined_at", entry.member.joinedAt)
        json.field("last_read_at", entry.member.readAt)
        json.field("is_online", isOnline)
    }

    static let memberSchema = Schema.named(
        "RoomsMember",
        .object([
            .required("user_id", .uuid), .required("username", .text), .required("display_name", .text),
            .required("avatar_url", .nullable(.text)), .required("role", roleSchema),
            .required("joined_at", .dateTime), .required("last_read_at", .nullable(.dateTime)),
            .required("is_online", .boolean),
        ]))
}
